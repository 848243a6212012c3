import { LongshoreError } from '../../lib/errors.ts';
import { exportContainer, getArchive, putArchive, statArchive } from './containers/archive.ts';
import { attachAsBody, attachContainer } from './containers/attach.ts';
import { attachByWebSocket } from './containers/attach-websocket.ts';
import { commit } from './containers/commit.ts';
import { createContainer } from './containers/create.ts';
import { createExec, inspectExec, resizeExec, startExec, startExecAsBody } from './containers/exec.ts';
import { inspectContainer } from './containers/inspect.ts';
import {
  changesOf,
  killContainer,
  pauseContainer,
  pruneContainers,
  removeContainer,
  renameContainer,
  resizeContainer,
  restartContainer,
  startContainer,
  stopContainer,
  topContainer,
  unpauseContainer,
  updateContainer,
  waitContainer,
} from './containers/lifecycle.ts';
import { listContainers } from './containers/list.ts';
import { containerLogs } from './containers/logs.ts';
import { containerStats } from './containers/stats.ts';
import type { Deps } from './deps.ts';
import { streamEvents } from './events.ts';
import { deleteImage, imageHistory, inspectDistribution, inspectImage, loadImages, pruneImages, pushImage, saveImages, tagImage } from './images/images.ts';
import { listImages } from './images/list.ts';
import { createImage } from './images/pull.ts';
import type { Handler } from './request.ts';
import type { Router } from './router.ts';
import { logIn } from './system/auth.ts';
import { build, cancelBuild, grpc, pruneBuilds, session } from './system/build.ts';
import { diskUsage } from './system/disk-usage.ts';
import { info } from './system/info.ts';
import { connectNetwork, createNetwork, deleteNetwork, disconnectNetwork, inspectNetwork, listNetworks, pruneNetworks } from './system/networks.ts';
import { ping } from './system/ping.ts';
import { createVolume, deleteVolume, inspectVolume, listVolumes, pruneVolumes } from './system/volumes.ts';
import { versionInfo } from './version.ts';

const notASwarm: Handler = () => {
  throw new LongshoreError(
    'unavailable',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
};

function notBuilt(what: string): Handler {
  return () => {
    throw new LongshoreError('not-implemented', `${what}: not built`);
  };
}

/** All routes of the API. */
export function addRoutes(router: Router, deps: Deps): void {
  system(router, deps);
  containers(router, deps);
  images(router, deps);
  router
    .on('GET', '/networks', (request) => listNetworks(deps, request))
    .on('GET', '/networks/', (request) => listNetworks(deps, request))
    .on('POST', '/networks/create', (request) => createNetwork(deps, request))
    .on('POST', '/networks/prune', (request) => pruneNetworks(deps, request))
    .on('GET', '/networks/{id}', (request) => inspectNetwork(deps, request))
    .on('DELETE', '/networks/{id}', (request) => deleteNetwork(deps, request))
    .on('POST', '/networks/{id}/connect', (request) => connectNetwork(deps, request))
    .on('POST', '/networks/{id}/disconnect', (request) => disconnectNetwork(deps, request))
    .on('GET', '/volumes', (request) => listVolumes(deps, request))
    .on('POST', '/volumes/create', (request) => createVolume(deps, request))
    .on('POST', '/volumes/prune', (request) => pruneVolumes(deps, request))
    .on('GET', '/volumes/{name}', (request) => inspectVolume(deps, request))
    .on('DELETE', '/volumes/{name}', (request) => deleteVolume(deps, request));
  elsewhere(router);
}

function system(router: Router, deps: Deps): void {
  router
    .on('GET', '/_ping', (_request, response) => ping(deps, response, true))
    .on('HEAD', '/_ping', (_request, response) => ping(deps, response, false))
    .on('GET', '/version', async () => ({ body: await versionInfo(deps) }))
    .on('GET', '/info', (request) => info(deps, request))
    .on('POST', '/auth', (request) => logIn(deps, request))
    .on('GET', '/events', (request, response) => streamEvents(deps.events, deps.clock, request, response))
    .on('GET', '/system/df', (request) => diskUsage(deps, request))
    .on('POST', '/build', (request, response) => build(deps, request, response))
    .on('POST', '/build/prune', (request) => pruneBuilds(deps, request))
    .on('POST', '/build/cancel', (request) => cancelBuild(deps, request))
    .hijack('POST', '/grpc', (request, connection) => grpc(deps, request, connection))
    .hijack('POST', '/session', (request, connection) => session(deps, request, connection));
}

function containers(router: Router, deps: Deps): void {
  router
    .on('GET', '/containers/json', (request) => listContainers(deps, request))
    .on('GET', '/containers/ps', (request) => listContainers(deps, request))
    .on('POST', '/containers/create', (request) => createContainer(deps, request))
    .on('POST', '/containers/prune', (request) => pruneContainers(deps, request))
    .on('GET', '/containers/{name...}/json', (request) => inspectContainer(deps, request))
    .on('GET', '/containers/{name...}/top', (request) => topContainer(deps, request))
    .on('GET', '/containers/{name...}/logs', (request, response) => containerLogs(deps, request, response))
    .on('GET', '/containers/{name...}/stats', (request, response) => containerStats(deps, request, response))
    .on('GET', '/containers/{name...}/changes', (request) => changesOf(deps, request))
    .on('GET', '/containers/{name...}/export', (request, response) => exportContainer(deps, request, response))
    .on('HEAD', '/containers/{name...}/archive', (request, response) => statArchive(deps, request, response))
    .on('GET', '/containers/{name...}/archive', (request, response) => getArchive(deps, request, response))
    .on('PUT', '/containers/{name...}/archive', (request) => putArchive(deps, request))
    .on('POST', '/containers/{name...}/start', (request) => startContainer(deps, request))
    .on('POST', '/containers/{name...}/stop', (request) => stopContainer(deps, request))
    .on('POST', '/containers/{name...}/restart', (request) => restartContainer(deps, request))
    .on('POST', '/containers/{name...}/kill', (request) => killContainer(deps, request))
    .on('POST', '/containers/{name...}/pause', (request) => pauseContainer(deps, request))
    .on('POST', '/containers/{name...}/unpause', (request) => unpauseContainer(deps, request))
    .on('POST', '/containers/{name...}/rename', (request) => renameContainer(deps, request))
    .on('POST', '/containers/{name...}/update', (request) => updateContainer(deps, request))
    .on('POST', '/containers/{name...}/wait', (request, response) => waitContainer(deps, request, response))
    .on('POST', '/containers/{name...}/resize', (request) => resizeContainer(deps, request))
    .hijack(
      'POST',
      '/containers/{name...}/attach',
      (request, connection) => attachContainer(deps, request, connection),
      (request, response) => attachAsBody(deps, request, response),
    )
    .hijack('GET', '/containers/{name...}/attach/ws', (request, connection) => attachByWebSocket(deps, request, connection))
    .on('DELETE', '/containers/{name...}', (request) => removeContainer(deps, request))
    .on('POST', '/containers/{name...}/exec', (request) => createExec(deps, request))
    .hijack(
      'POST',
      '/exec/{id}/start',
      (request, connection) => startExec(deps, request, connection),
      (request, response) => startExecAsBody(deps, request, response),
    )
    .on('POST', '/exec/{id}/resize', (request) => resizeExec(deps, request))
    .on('GET', '/exec/{id}/json', (request) => inspectExec(deps, request))
    .on('POST', '/commit', (request) => commit(deps, request))
    .on('GET', '/containers/{name...}/checkpoints', notBuilt('checkpoints'))
    .on('POST', '/containers/{name...}/checkpoints', notBuilt('checkpoints'));
}

function images(router: Router, deps: Deps): void {
  router
    .on('GET', '/images/json', (request) => listImages(deps, request))
    .on('POST', '/images/create', (request, response) => createImage(deps, request, response))
    .on('GET', '/images/search', notBuilt('searching Docker Hub'))
    .on('POST', '/images/load', (request, response) => loadImages(deps, request, response))
    .on('GET', '/images/get', (request, response) => saveImages(deps, request, response))
    .on('POST', '/images/prune', (request) => pruneImages(deps, request))
    .on('GET', '/images/{name...}/get', (request, response) => saveImages(deps, request, response))
    .on('GET', '/images/{name...}/json', (request) => inspectImage(deps, request))
    .on('GET', '/images/{name...}/history', (request) => imageHistory(deps, request))
    .on('POST', '/images/{name...}/push', (request, response) => pushImage(deps, request, response))
    .on('POST', '/images/{name...}/tag', (request) => tagImage(deps, request))
    .on('DELETE', '/images/{name...}', (request) => deleteImage(deps, request))
    .on('GET', '/distribution/{name...}/json', (request) => inspectDistribution(deps, request));
}

/** Parts of Docker that are not an engine's: told as Docker tells it where they are switched off. */
function elsewhere(router: Router): void {
  for (const kind of ['services', 'tasks', 'nodes', 'secrets', 'configs']) {
    router
      .on('GET', `/${kind}`, notASwarm)
      .on('POST', `/${kind}/create`, notASwarm)
      .on('GET', `/${kind}/{id}`, notASwarm)
      .on('DELETE', `/${kind}/{id}`, notASwarm)
      .on('POST', `/${kind}/{id}/update`, notASwarm);
  }
  router.on('GET', '/swarm', notASwarm).on('GET', '/swarm/unlockkey', notASwarm).on('POST', '/swarm/leave', notASwarm).on('POST', '/swarm/update', notASwarm);
  for (const verb of ['init', 'join', 'unlock']) router.on('POST', `/swarm/${verb}`, notBuilt('swarm mode'));
  router
    .on('GET', '/plugins', () => ({ body: [] }))
    .on('GET', '/plugins/privileges', notBuilt('plugins'))
    .on('POST', '/plugins/pull', notBuilt('plugins'))
    .on('POST', '/plugins/create', notBuilt('plugins'));
}
