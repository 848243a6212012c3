import type { KnownDifference } from './known-difference.ts';

/** Part of KNOWN_DIFFERENCES. */
export const DOCKER_DIFFERENCES: readonly KnownDifference[] = [
  {
    why: 'Docker 28 still tells these; the recorded engine, a later one, has dropped them for all versions of the API.',
    at: [
      'docker/containers | * | body.Config.OnBuild',
      'docker/containers | * | body.NetworkSettings.Bridge',
      'docker/containers | * | body.NetworkSettings.HairpinMode',
      'docker/containers | * | body.NetworkSettings.LinkLocalIPv6Address',
      'docker/containers | * | body.NetworkSettings.LinkLocalIPv6PrefixLen',
      'docker/containers | * | body.NetworkSettings.SecondaryIPAddresses',
      'docker/containers | * | body.NetworkSettings.SecondaryIPv6Addresses',
      'docker/images | * | body.Config.Hostname',
      'docker/images | * | body.Config.Domainname',
      'docker/images | * | body.Config.AttachStdin',
      'docker/images | * | body.Config.AttachStdout',
      'docker/images | * | body.Config.AttachStderr',
      'docker/images | * | body.Config.Tty',
      'docker/images | * | body.Config.OpenStdin',
      'docker/images | * | body.Config.StdinOnce',
      'docker/images | * | body.Config.Image',
      'docker/networks | has its address | body.NetworkSettings.Bridge',
      'docker/networks | has its address | body.NetworkSettings.HairpinMode',
      'docker/networks | has its address | body.NetworkSettings.LinkLocalIPv6Address',
      'docker/networks | has its address | body.NetworkSettings.LinkLocalIPv6PrefixLen',
      'docker/networks | has its address | body.NetworkSettings.SecondaryIPAddresses',
      'docker/networks | has its address | body.NetworkSettings.SecondaryIPv6Addresses',
      'docker/networks | has its address | body.NetworkSettings.EndpointID',
      'docker/networks | has its address | body.NetworkSettings.Gateway',
      'docker/networks | has its address | body.NetworkSettings.GlobalIPv6Address',
      'docker/networks | has its address | body.NetworkSettings.GlobalIPv6PrefixLen',
      'docker/networks | has its address | body.NetworkSettings.IPAddress',
      'docker/networks | has its address | body.NetworkSettings.IPPrefixLen',
      'docker/networks | has its address | body.NetworkSettings.IPv6Gateway',
      'docker/networks | has its address | body.NetworkSettings.MacAddress',
      'docker/system | disk usage | body.BuilderSize',
    ],
  },
  {
    why: 'Layers are ours, in the form of overlay2; the recorded engine keeps them in containerd.',
    at: [
      'docker/containers | * | body.Driver',
      'docker/containers | * | body.GraphDriver.Data',
      'docker/containers | * | body.GraphDriver.Name',
      'docker/containers | * | body.ImageManifestDescriptor',
      'docker/containers | prune | body.SpaceReclaimed',
      'docker/containers | * | body[0].ImageManifestDescriptor',
      'docker/images | list | body[0].Descriptor',
      'docker/images | list by reference | body[0].Descriptor',
      'docker/images | list | body[0].RepoDigests[0]',
      'docker/images | list by reference | body[0].RepoDigests[0]',
      'docker/images | * | body.Descriptor.digest',
      'docker/images | * | body.Descriptor.size',
      'docker/images | * | body.GraphDriver.Name',
      'docker/images | * | body.RepoDigests[0]',
      'docker/images | inspect with both names | body.RepoDigests[1]',
    ],
  },
  {
    why: 'The runc of the machine words it so; the recorded engine had a later one.',
    at: [
      'docker/container-errors | is told at its start, of the command | body.message',
      'docker/container-errors | is told at its start as well | body.message',
      'docker/container-errors | and stays created | body.State.Error',
      'docker/exec | is told by its start | body.message',
    ],
  },
  {
    why: 'Our versions of the API are 1.24 to 1.51, not 1.40 to 1.56.',
    at: [
      'docker/system | a version that is too old | body',
      'docker/system | a version that is too new | body.message',
    ],
  },
  {
    why: 'Messages that Go makes of JSON, numbers and times.',
    at: [
      'docker/container-errors | a type that is wrong | body.message',
      'docker/events | with a bad time | body.message',
      'docker/images | list with a broken filter | body.message',
      'docker/networks | a subnet that is none | body.message',
    ],
  },
  {
    why: 'The bridge bears the name of its instance, several of which live side by side; there is no containerd.',
    at: [
      'docker/networks | the three that are always there | body[0].Options["com.docker.network.bridge.name"]',
      'docker/system | info | body.Containerd',
    ],
  },
  {
    why: 'What is no archive is refused by its status already, not only within the stream.',
    at: ['docker/images | load what is no archive | status'],
  },
  {
    why: 'Told when a container is created, as the mistake of the request that it is; the recorded engine makes one without an image, which can never start, and blames itself for a path.',
    at: [
      'docker/container-errors | no image | status',
      'docker/container-errors | a bind to nowhere | status',
    ],
  },
  {
    why: 'Ids are numbered as they appear, and the layers of ours (GraphDriver) tell one more before these.',
    at: [
      'docker/containers | create without a name of ours | body.Id',
      'docker/containers | prune | body.ContainersDeleted[0]',
    ],
  },
];
