/** Every flag of `docker run` as the command line sends it: it works in the real container, or is refused with an error that names it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

const run = promisify(execFile);
let engine: TestEngine;
let net: string;
let loopback: string;
before(async () => {
  engine = await startEngine();
  // Of its own, as everything here: the last network of the engine's range, and an address of the loopback network.
  const [, second, third] = engine.pool.split(/[./]/).map(Number);
  net = `10.${second}.${third! + 15}`;
  loopback = `127.${second}.${third}.1`;
  const inner = join(engine.folder, 'tree/inner');
  await mkdir(inner, { recursive: true });
  await run('mount', ['-t', 'tmpfs', 'tmpfs', inner]);
  // The one that others see what is mounted in it.
  const shared = join(engine.folder, 'shared');
  await mkdir(shared);
  await run('mount', ['-t', 'tmpfs', 'tmpfs', shared]);
  await run('mount', ['--make-shared', shared]);
  await run('mount', ['--make-private', inner]);
  await writeFile(join(inner, 'beneath'), 'mounted here\n');
  const files: Record<string, string> = {
    'tree/file': 'on the host\n', 'env': 'A=from file\n# a comment\nB=2\n', 'labels': 'one=1\ntwo=2\n',
    'seccomp.json': JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }] }),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(engine.folder, name), text);
  await Promise.all([
    engine.ok('network', 'create', '--subnet', `${net}.0/25`, 'net'),
    engine.ok('network', 'create', '--subnet', `${net}.128/26`, 'net2'),
    engine.ok('run', '-d', '--name', 'other', '--ipc', 'shareable', '--stop-signal', 'KILL', '-v', 'shared:/shared', '--tmpfs', '/scratch', '--hostname', 'otherhost', 'busybox', 'sh', '-c', 'echo shm >/dev/shm/mark; echo data >/shared/mark; exec sleep 1000'),
    engine.ok('run', '-d', '--name', 'closed', '--stop-signal', 'KILL', 'busybox', 'sleep', '1000'),
    engine.ok('volume', 'create', 'deep'),
  ]);
  await engine.ok('run', '--rm', '-v', 'deep:/v', 'busybox', 'sh', '-c', 'mkdir -p /v/a/b; echo under >/v/a/b/file; ln -s /etc /v/way-out; ln -s a/b /v/way-in');
});
after(async () => {
  await run('umount', [join(engine.folder, 'tree/inner'), join(engine.folder, 'shared')]);
  await engine.close();
});

/** Reads a control file of the container's own group, by its name in version 1 or 2. */
const CGROUP = 'cg() { cat /sys/fs/cgroup/$1 2>/dev/null || cat /sys/fs/cgroup/$2; };';
/** `{}` stands for the test's folder, `{net}` for the first three numbers of its network. */
type Row = readonly [flags: string, script: string, prints: RegExp | string];

const WORKS: readonly Row[] = [
  ['--add-host db:10.1.2.3 --add-host six:::1', 'cat /etc/hosts', /^10\.1\.2\.3\tdb\n::1\tsix$/m],
  ['--add-host me:host-gateway', 'cat /etc/hosts', /^10\.\d+\.\d+\.1\tme$/m],
  ['-a stdout', 'echo out; echo err >&2', 'out\n'],
  ['--attach stderr', 'echo out; echo err >&2', ''],
  ['--cap-add SYS_TIME --cap-drop CHOWN', 'cat /proc/self/status', /^CapEff:\t00000000aa0425fa$/m],
  ['--cap-drop ALL --cap-add NET_BIND_SERVICE', 'cat /proc/self/status', /^CapEff:\t0000000000000400$/m],
  ['--cgroupns private', 'cat /proc/self/cgroup', /^(\d+:[^:]*:\/\n)+$/],
  ['--cgroupns host', 'cat /proc/self/cgroup', /:\/.*longshore-/],
  ['--cgroup-parent /mine', 'cat /proc/self/cgroup', /longshore-[0-9a-f]+\/mine\/[0-9a-f]{64}/],
  ['--cpu-period 50000 --cpu-quota 25000', `${CGROUP} cg cpu/cpu.cfs_quota_us cpu.max`, /^25000( 50000)?\n$/],
  ['--cpus 0.25', `${CGROUP} cg cpu/cpu.cfs_quota_us cpu.max`, /^25000( 100000)?\n$/],
  ['--cpu-shares 512', `${CGROUP} cg cpu/cpu.shares cpu.weight`, /^(512|20)\n$/],
  ['-c 512', `${CGROUP} cg cpu/cpu.shares cpu.weight`, /^(512|20)\n$/],
  ['--cpuset-cpus 0', `${CGROUP} cg cpuset/cpuset.cpus cpuset.cpus`, '0\n'],
  ['--cpuset-mems 0', `${CGROUP} cg cpuset/cpuset.mems cpuset.mems`, '0\n'],
  ['--memory 64m', `${CGROUP} cg memory/memory.limit_in_bytes memory.max`, `${64 << 20}\n`],
  ['-m 64m --memory-swap 96m', `${CGROUP} cg memory/memory.memsw.limit_in_bytes memory.swap.max`, new RegExp(`^(${96 << 20}|${32 << 20})\n$`)],
  ['-m 64m --memory-reservation 32m', `${CGROUP} cg memory/memory.soft_limit_in_bytes memory.low`, `${32 << 20}\n`],
  ['--pids-limit 33', `${CGROUP} cg pids/pids.max pids.max`, '33\n'],
  ['--pids-limit -1', `${CGROUP} cg pids/pids.max pids.max`, 'max\n'],
  ['--device /dev/null:/dev/nothing', 'ls -l /dev/nothing', /^c.* 1, +3 /],
  // Runtimes let everybody at null, zero and their like: the permissions show at another.
  ['--device /dev/kmsg:/dev/k:w', 'true >>/dev/k && echo written; head -c 1 /dev/k 2>&1', /^written\n.*not permitted/],
  ['--device-cgroup-rule', 'mknod /tmp/full c 1 7 && echo x >/tmp/full', ''],
  ['--dns 10.9.8.7 --dns-search corp.example --dns-option timeout:3', 'cat /etc/resolv.conf', 'nameserver 10.9.8.7\nsearch corp.example\noptions timeout:3\n'],
  ['--domainname corp.example -h box', 'hostname -f 2>/dev/null || cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname', /corp\.example/],
  ['--entrypoint /bin/echo', '-x', /x/],
  ['-e A=1 --env B', 'echo $A-$B', '1-from here\n'],
  ['--env-file {}/env', 'echo $A-$B', 'from file-2\n'],
  ['--group-add 1234 --group-add www', 'id -G', /1234 1001|1001 1234/],
  ['--hostname h-one', 'hostname', 'h-one\n'],
  ['--init', 'ps -o pid,args | head -n 2', /1 \/sbin\/docker-init -- sh/],
  ['--ip {net}.50 --network net', 'ip -4 addr show eth0', /inet 10[.\d]+\.50\/25/],
  ['--ipc container:other', 'cat /dev/shm/mark', 'shm\n'],
  ['--ipc host', 'readlink /proc/self/ns/ipc', 'HOST:ipc'],
  ['--ipc private', 'ls /dev/shm; stat -c %a /dev/shm', '1777\n'],
  ['--ipc shareable', 'stat -c %a /dev/shm', '1777\n'],
  ['--ipc none', 'ls -d /dev/shm 2>/dev/null || echo none', 'none\n'],
  ['--link other:alias', 'grep alias /etc/hosts', /^\S+\talias \S+ other$/m],
  ['--link-local-ip 169.254.1.7 --network net', 'ip -4 -o addr show eth0', /inet 169\.254\.1\.7\/16/],
  ['--network name=net,driver-opt=com.docker.network.endpoint.ifname=lan0', 'ip -4 -o addr show lan0', /inet 10\./],
  ['--expose 90/sctp', 'echo ran', 'ran\n'],
  ['--runtime io.containerd.runc.v2', 'echo ran', 'ran\n'],
  ['--mac-address 92:d0:c6:0a:29:33', 'cat /sys/class/net/eth0/address', '92:d0:c6:0a:29:33\n'],
  ['--mount type=bind,src={}/tree,dst=/t,readonly', 'cat /t/file; touch /t/x 2>&1', /on the host\n.*Read-only/s],
  ['--mount type=bind,src={}/shared,dst=/t,bind-propagation=rslave', 'grep " /t " /proc/self/mountinfo', / master:\d+ /],
  ['-v {}/shared:/t:rshared', 'grep " /t " /proc/self/mountinfo', / shared:\d+ /],
  ['-v {}/tree:/t:private', 'grep " /t " /proc/self/mountinfo', /^(?!.*(shared|master):)/],
  ['--mount type=bind,src={}/tree,dst=/t', 'cat /t/inner/beneath', 'mounted here\n'],
  ['--mount type=bind,src={}/tree,dst=/t,bind-recursive=disabled', 'ls -A /t/inner', ''],
  ['--mount type=bind,src={}/tree,dst=/t,readonly,bind-recursive=writable', 'touch /t/x 2>&1; touch /t/inner/y && echo inner', /Read-only.*\ninner\n$/],
  ['--mount type=bind,src={}/tree,dst=/t,readonly,bind-recursive=readonly,bind-propagation=rprivate', 'touch /t/inner/z 2>&1', /Read-only/],
  ['--mount type=bind,src={}/tree,dst=/t,readonly', 'touch /t/inner/z 2>&1', /Read-only/],
  ['--mount type=volume,src=vol,dst=/v', 'touch /v/x; ls /v', 'x\n'],
  ['--mount type=volume,src=deep,dst=/v,volume-subpath=a/b', 'ls /v', 'file\n'],
  ['--mount type=volume,src=deep,dst=/v,volume-subpath=a/b/file', 'cat /v', 'under\n'],
  ['--mount type=volume,src=deep,dst=/v,volume-subpath=way-in,readonly', 'ls /v; touch /v/x 2>&1', /^file\n.*Read-only/s],
  ['--mount type=tmpfs,dst=/s,tmpfs-size=1m,tmpfs-mode=700', 'grep " /s " /proc/self/mountinfo; stat -c %a /s', /size=1024k[\s\S]*700\n$/],
  ['--tmpfs /s:size=2m,mode=750,exec,uid=5', 'grep " /s " /proc/self/mountinfo; stat -c %a-%u /s', /^(?!.*noexec).*size=2048k[\s\S]*750-5\n$/],
  ['--tmpfs /s', 'grep " /s " /proc/self/mountinfo', /nosuid,nodev,noexec/],
  ['--network none', 'ip -o link | wc -l', /^[1-9]\n$/],
  ['--network host', 'readlink /proc/self/ns/net', 'HOST:net'],
  ['--network container:other', 'cat /etc/hostname', 'otherhost\n'],
  ['--network net --network net2', 'ip -4 -o addr show | grep -c eth', '2\n'],
  ['--network name=net,gw-priority=1 --network name=net2,gw-priority=9', 'ip -4 addr show $(ip route | sed -n "s/^default.*dev //p" | cut -d" " -f1)', /inet [.\d]+\/26/],
  ['--network net --network-alias nick', 'ping -c 1 -w 2 nick', /1 packets received/],
  ['--oom-score-adj 500', 'cat /proc/self/oom_score_adj', '500\n'],
  ['--pid host', 'readlink /proc/self/ns/pid', 'HOST:pid'],
  ['--pid container:other', 'ps -o args', /sleep 1000/],
  ['--platform linux/amd64', 'uname -s', 'Linux\n'],
  ['--privileged', 'grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; [ -w /proc/sys/kernel/domainname ] && echo rw', /CapEff:\t0*1[\da-f]{9,}\nSeccomp:\t0\nrw\n/],
  ['--pull never', 'echo here', 'here\n'],
  ['--quiet', 'echo here', 'here\n'],
  ['--read-only --tmpfs /tmp', 'touch /tmp/x && echo tmp; touch /x 2>&1', /^tmp\n.*Read-only/s],
  ['--rm', 'echo gone', 'gone\n'],
  ['--runtime runc', 'echo ran', 'ran\n'],
  ['--security-opt seccomp={}/seccomp.json', 'mkdir /tmp/x 2>&1', /Operation not permitted/],
  ['--security-opt seccomp=unconfined', 'grep Seccomp: /proc/self/status', 'Seccomp:\t0\n'],
  ['--security-opt no-new-privileges', 'grep NoNewPrivs /proc/self/status', 'NoNewPrivs:\t1\n'],
  ['--security-opt systempaths=unconfined', 'grep -c "/proc/" /proc/self/mountinfo', '0\n'],
  ['--security-opt writable-cgroups=true', 'grep " /sys/fs/cgroup " /proc/self/mountinfo', / rw,/],
  ['--security-opt apparmor=unconfined --security-opt label=disable', 'echo ran', 'ran\n'],
  ['--shm-size 1m', 'grep /dev/shm /proc/self/mountinfo', /size=1024k/],
  ['--sig-proxy=false', 'echo ran', 'ran\n'],
  ['--sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=4096', 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax', '1\n4096\n'],
  ['-t', 'tty', /\/dev\/pts\/0|not a tty/],
  ['--ulimit nofile=100:200 --ulimit core=0', 'ulimit -Sn; ulimit -Hn; ulimit -c', '100\n200\n0\n'],
  ['--user 12:34', 'id -u; id -g', '12\n34\n'],
  ['-u web', 'id -un', 'web\n'],
  ['--userns host', 'readlink /proc/self/ns/user', 'HOST:user'],
  ['--uts host', 'hostname', `${hostname()}\n`],
  ['--use-api-socket', '[ -S /var/run/docker.sock ] && echo socket', 'socket\n'],
  ['-v {}/tree:/t:ro', 'cat /t/file; touch /t/x 2>&1', /on the host\n.*Read-only/s],
  ['-v {}/made:/m', 'touch /m/x; ls /m', 'x\n'],
  ['--volume named:/n:nocopy', 'ls /n', ''],
  ['--volumes-from other:ro,z', 'cat /shared/mark; touch /shared/x 2>&1', /^data\n.*Read-only/s],
  ['--volumes-from other:ro', 'cat /shared/mark; touch /shared/x 2>&1', /^data\n.*Read-only/s],
  ['--workdir /some/where', 'pwd', '/some/where\n'],
  ['-w /tmp', 'pwd', '/tmp\n'],
  ['--log-driver local --log-opt max-size=1m --log-opt max-file=2', 'echo logged', 'logged\n'],
  ['--log-driver json-file --log-opt max-size=10k --log-opt max-file=3', 'echo logged', 'logged\n'],
  ['--log-driver none', 'echo told', 'told\n'],
  ['--isolation default', 'echo ran', 'ran\n'],
  ['--disable-content-trust', 'echo ran', 'ran\n'],
  ['--detach-keys ctrl-a,a', 'echo ran', 'ran\n'],
];

/** What is known by another test, or by looking at the container: see there. */
const LOOKED_AT: readonly (readonly [flags: string, format: string, shows: string])[] = [
  ['--annotation com.example.a=b', '{{index .HostConfig.Annotations "com.example.a"}}', 'b'],
  ['--expose 8000-8001 --expose 53/udp', '{{range $p, $_ := .Config.ExposedPorts}}{{$p}} {{end}}', '53/udp 8000/tcp 8001/tcp '],
  ['--health-cmd true --health-interval 5s --health-retries 4 --health-timeout 6s --health-start-period 7s --health-start-interval 8s', '{{json .Config.Healthcheck}}', '{"Test":["CMD-SHELL","true"],"Interval":5000000000,"Timeout":6000000000,"StartPeriod":7000000000,"StartInterval":8000000000,"Retries":4}'],
  ['--no-healthcheck', '{{json .Config.Healthcheck.Test}}', '["NONE"]'],
  ['--label a=b -l c', '{{json .Config.Labels}}', '{"a":"b","c":""}'],
  ['--label-file {}/labels', '{{json .Config.Labels}}', '{"one":"1","two":"2"}'],
  ['--restart on-failure:3', '{{json .HostConfig.RestartPolicy}}', '{"Name":"on-failure","MaximumRetryCount":3}'],
  ['--stop-signal INT --stop-timeout 3', '{{.Config.StopSignal}} {{.Config.StopTimeout}}', 'INT 3'],
  ['-i', '{{.Config.OpenStdin}}', 'true'],
  ['--interactive --tty', '{{.Config.OpenStdin}} {{.Config.Tty}}', 'true true'],
  ['--oom-kill-disable -m 64m', '{{.HostConfig.OomKillDisable}}', 'true'],
  ['--memory-swappiness 10 -m 64m', '{{.HostConfig.MemorySwappiness}}', '10'],
  ['--blkio-weight 300', '{{.HostConfig.BlkioWeight}}', '300'],
  ['--kernel-memory 64m', '{{.HostConfig.Privileged}}', 'false'],
];

const REFUSED: readonly (readonly [flags: string, says: RegExp])[] = [
  ['-v {}/tree/inner:/t:rslave', /tree\/inner is mounted on .*\/tree\/inner but it is not a shared or slave mount/],
  ['-v {}/tree/inner:/t:rshared', /but it is not a shared mount/],
  ['-v {}/tree:/t:ro,rw', /invalid mode: ro,rw/],
  ['-v {}/tree:/t:nocopy', /field VolumeOptions must not be specified/],
  ['-v named:/t:shared', /field BindOptions must not be specified/],
  ['-v {}/tree:/', /destination can't be '\/'/],
  ['--network container:nobody', /joining network namespace of container: No such container: nobody/],
  ['--network none --ip 10.1.2.3', /invalid config for network none: invalid endpoint settings:/],
  ['--log-opt max-size=1k --log-opt compress=true', /compress cannot be true when max-file is less than 2/],
  ['--network name=net,driver-opt=com.docker.network.endpoint.ifname=much-too-long-a-name', /invalid interface name/],
  ['--network container:other --dns 10.1.1.1', /conflicting options: dns and the network mode/],
  ['--network container:other --expose 80', /conflicting options: port exposing and the container type network mode/],
  ['--network container:other --add-host a:10.1.1.1', /conflicting options: custom host-to-IP mapping and the network mode/],
  [`--hostname ${'a'.repeat(65)}`, /is too long \(maximum 64 bytes\)/],
  ['--volumes-from other:nonsense', /invalid mode: nonsense/],
  ['--group-add -1', /uids and gids must be in range/],
  ['--log-driver local --log-opt max-file=1', /compression cannot be enabled when max file count is 1/],
  ['--log-opt mode=nonsense', /logging mode not supported: nonsense/],
  ['--user -1', /uids and gids must be in range/],
  ['--blkio-weight 5', /Range of blkio weight is from 10 to 1000/],
  ['--device-read-bps /dev/nowhere:1mb', /stat \/dev\/nowhere: no such file or directory/],
  ['--device-write-bps /dev/nowhere:1mb', /stat \/dev\/nowhere: no such file or directory/],
  ['--device-read-iops /dev/nowhere:100', /stat \/dev\/nowhere: no such file or directory/],
  ['--device-write-iops /dev/nowhere:100', /stat \/dev\/nowhere: no such file or directory/],
  ['--cap-add FLY', /unknown capability: "CAP_FLY"/],
  ['--cpu-count 1', /--cpu-count/],
  ['--cpu-percent 10', /--cpu-percent/],
  ['--io-maxbandwidth 1m', /--io-maxbandwidth/],
  ['--io-maxiops 10', /--io-maxiops/],
  ['--cpu-rt-period 1000', /--cpu-rt-period/],
  ['--cpu-rt-runtime 1000', /--cpu-rt-runtime/],
  ['--cpus 1000', new RegExp(`range of CPUs is from 0\\.01 to ${availableParallelism()}\\.00`)],
  ['--cpuset-cpus 900', /Requested CPUs are not available - requested 900, available: 0/],
  ['--cpuset-cpus x-y', /Invalid value x-y for cpuset cpus/],
  ['--cpuset-mems 77', /Requested memory nodes are not available - requested 77, available: 0/],
  ['--device /dev/nowhere', /\/dev\/nowhere/],
  ['--device-cgroup-rule nonsense', /invalid device cgroup/],
  ['--gpus all', /--gpus/],
  ['--ip {net}.60', /invalid config for network bridge: invalid endpoint settings:\n\* user-specified IP address is supported on user-defined networks only\n\* no configured subnet contains/],
  ['--ip {net}.200 --network net', /invalid config for network net: invalid endpoint settings:\nno configured subnet contains IP address/],
  ['--ip nonsense --network net', /ParseAddr\("nonsense"\): unable to parse IP/],
  ['--ip6 2001:db8::33 --network net', /--ip6|IPv6/],
  ['--link-local-ip 10.1.1.1 --network net', /it has to be of 169\.254\.0\.0\/16/],
  ['--ipc container:closed', /non-shareable IPC/],
  ['--ipc strange', /invalid IPC mode: strange/],
  ['--isolation hyperv', /invalid isolation \(hyperv\): linux only supports 'default'/],
  ['--log-driver syslog', /log drivers.*--log-driver/],
  ['--log-opt nonsense=1', /unknown log opt 'nonsense' for json-file log driver/],
  ['--log-driver none --log-opt max-size=1m', /unknown log opt|none/],
  ['--log-opt max-size=many', /max-size/],
  ['--memory 1k', /Minimum memory limit allowed is 6MB/],
  ['--memory-swappiness 400', /Valid memory swappiness range is 0-100/],
  ['--memory 64m --memory-reservation 128m', /Minimum memory limit can not be less than memory reservation limit/],
  ['--memory-swap 1g', /You should always set the Memory limit/],
  ['--mount type=bind,src={}/missing,dst=/t', /bind source path does not exist/],
  ['--mount type=volume,src=deep,dst=/v,volume-subpath=../up', /subpath/],
  ['--mount type=volume,src=deep,dst=/v,volume-subpath=way-out', /subpath/],
  ['--mount type=volume,src=deep,dst=/v,volume-subpath=missing', /cannot access path .*\/missing: .*no such file or directory/],
  ['--network nowhere', /network nowhere not found/],
  ['--network host -p 80:80 --sysctl net.ipv4.ip_forward=1', /sysctl.*net\.ipv4\.ip_forward.*host network/],
  ['--pid nonsense', /PID/],
  ['--platform linux/riscv64 --pull never', /platform/],
  ['-p 80:80/sctp', /sctp/],
  ['--restart always --rm', /restart/i],
  ['--runtime hamster', /unknown or invalid runtime name: hamster/],
  ['--security-opt apparmor=mine', /apparmor/i],
  ['--security-opt nonsense', /Invalid --security-opt: "nonsense"/],
  ['--security-opt nonsense=1', /invalid --security-opt 2: "nonsense=1"/],
  ['--shm-size=-1', /SHM size|invalid size/],
  ['--stop-signal NOPE', /NOPE/],
  ['--storage-opt size=1g', /--storage-opt/],
  ['--sysctl kernel.panic=1', /kernel\.panic/],
  ['--tmpfs /s:nonsense=1', /nonsense/],
  ['--ulimit nonsense=1', /nonsense/],
  ['--userns private', /--userns/],
  ['--uts nonsense', /UTS|uts/],
  ['--uts host --hostname me', /hostname and the UTS mode/],
  ['--volume-driver nfs -v x:/x', /--volume-driver|nfs/],
  ['-v {}/tree:relative', /must be absolute|invalid/],
  ['--volumes-from nobody', /nobody/],
  ['--workdir relative', /absolute path/],
  ['--cgroup-parent ../up', /cgroup parent/],
];

/** What the kernels of some machines can't do: there it is discarded with a warning, elsewhere this is what the container has. */
const PERHAPS: readonly (readonly [flags: string, script: string, prints: RegExp, warns: RegExp])[] = [
  ['--blkio-weight 300', `${CGROUP} cg blkio/blkio.weight io.weight || cg blkio/blkio.bfq.weight io.bfq.weight`, /^(default )?(300|2930)\n$/, /does not support Block I\/O weight or/],
  ['--memory-swappiness 10 -m 64m', `${CGROUP} cg memory/memory.swappiness none`, /^10\n$/, /does not support memory swappiness/],
  ['--oom-kill-disable -m 64m', `${CGROUP} cg memory/memory.oom_control none`, /^oom_kill_disable 1$/m, /does not support OomKillDisable/],
  ['--oom-kill-disable', `${CGROUP} cg memory/memory.oom_control none`, /^oom_kill_disable 1$/m, /does not support OomKillDisable/],
];

/** What a row's flags become: words, with the folder put in; a rule of devices has blanks of its own. */
const words = (flags: string): string[] => flags.split(' ').map((word) => word.replaceAll('{}', engine.folder).replace('{net}', net)).flatMap((word) => (word === '--device-cgroup-rule' && !flags.includes('nonsense') ? [word, 'c 1:7 rwm'] : [word]));

/** So many at a time: the rest of the machine wants to go on too. */
async function each<T>(rows: readonly T[], work: (row: T) => Promise<void>): Promise<void> {
  const failures: string[] = [];
  const left = rows.values();
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (const row of left) await work(row).catch((error: unknown) => failures.push(error instanceof Error ? error.message : String(error)));
  }));
  assert.equal(failures.join('\n\n'), '');
}

test('each of these works in the container', async () => {
  const rows = process.env['FLAGS_ONLY'] === undefined ? WORKS : WORKS.filter(([flags]) => flags.includes(process.env['FLAGS_ONLY']!));
  process.env['B'] = 'from here';
  await each(rows, async ([flags, script, prints]) => {
    const ran = await engine.docker('run', '--rm', ...words(flags), 'busybox', ...(flags.startsWith('--entrypoint') ? [script] : ['sh', '-c', script]));
    const told = `docker run ${flags}\n${ran.stderr}--\n${ran.stdout}`;
    if (typeof prints !== 'string') assert.match(ran.stdout, prints, told);
    else if (!prints.startsWith('HOST:')) assert.equal(ran.stdout, prints, told);
    else assert.equal(ran.stdout.trim(), await namespaceOf(prints.slice('HOST:'.length)), told);
  });
});

async function namespaceOf(type: string): Promise<string> {
  return readlink(`/proc/self/ns/${type}`);
}

test('each of these is kept, and told by inspect', async () => {
  await each(LOOKED_AT, async ([flags, format, shows]) => {
    const made = await engine.docker('create', ...words(flags), 'busybox', 'true');
    assert.equal(made.code, 0, `docker create ${flags}: ${made.stderr}`);
    const id = made.stdout.trim();
    assert.equal(await engine.ok('inspect', '-f', format, id), shows, flags);
    const started = await engine.docker('start', id);
    assert.equal(started.code, 0, `docker start, of ${flags}: ${started.stderr}`);
    await engine.ok('rm', '-f', id);
  });
});

test('each of these works, or is discarded with a warning', async () => {
  await each(PERHAPS, async ([flags, script, prints, warns]) => {
    const ran = await engine.docker('run', '--rm', ...words(flags), 'busybox', 'sh', '-c', script);
    assert.equal(ran.code, 0, `docker run ${flags}: ${ran.stderr}`);
    if (!warns.test(ran.stderr)) assert.match(ran.stdout, prints, `docker run ${flags}\n${ran.stderr}`);
  });
  // Docker itself knows no weight of a device where there is none of all.
  const weighed = await engine.docker('run', '--rm', '--blkio-weight-device', '/dev/nowhere:300', 'busybox', 'true');
  assert.match(weighed.stderr, weighed.code === 0 ? /does not support Block I\/O weight_device/ : /stat \/dev\/nowhere/);
});

test('update: what a limit was, and becomes', async () => {
  const id = await engine.ok('run', '-d', '--stop-signal', 'KILL', '--pids-limit', '33', '--blkio-weight', '300', '-m', '64m', 'busybox', 'sleep', '1000');
  const told = (format: string): Promise<string> => engine.ok('inspect', '-f', format, id);
  const within = (script: string): Promise<string> => engine.ok('exec', id, 'sh', '-c', `${CGROUP} ${script}`);
  await engine.ok('update', '--pids-limit', '44', '--blkio-weight', '500', '--memory-reservation', '32m', '--cpuset-mems', '0', id);
  assert.equal(await within('cg pids/pids.max pids.max; cg memory/memory.soft_limit_in_bytes memory.low; cg cpuset/cpuset.mems cpuset.mems'), `44\n${32 << 20}\n0`);
  assert.equal(await told('{{.HostConfig.PidsLimit}} {{.HostConfig.MemoryReservation}} {{.HostConfig.CpusetMems}}'), `44 ${32 << 20} 0`);
  assert.match(`${await told('{{.HostConfig.BlkioWeight}}')} ${await within('cg blkio/blkio.weight io.weight || cg blkio/blkio.bfq.weight io.bfq.weight || echo none')}`, /^(500 (500|default (500|4950))|0 none)$/);
  await engine.ok('update', '--pids-limit', '-1', '--memory-swap', '-1', id);
  assert.equal(await within('cg pids/pids.max pids.max'), 'max');
  assert.equal(await told('{{.HostConfig.PidsLimit}} {{.HostConfig.MemorySwap}}'), '0 -1');
  const refused = await engine.docker('update', '--blkio-weight', '5', id);
  assert.match(refused.stderr, /Range of blkio weight is from 10 to 1000/);
  await engine.ok('rm', '-f', id);
});

test('each of these is refused, and the error says why', async () => {
  await each(REFUSED, async ([flags, says]) => {
    const ran = await engine.docker('run', '--rm', ...words(flags), 'busybox', 'true');
    assert.notEqual(ran.code, 0, `docker run ${flags} was accepted`);
    assert.match(ran.stderr, says, `docker run ${flags}`);
  });
  assert.deepEqual((await engine.ok('ps', '-a', '--format', '{{.Names}}')).split('\n').sort(), ['closed', 'other'], 'nothing is left of what was refused');
});

test('ports: ranges, protocols, addresses, and all that are exposed', async () => {
  const id = await engine.ok('run', '-d', '-p', `${loopback}:41500-41502:80-82`, '-p', `${loopback}:41510-41511:90`, '-p', `${loopback}::53/udp`, '-P', '--expose', '8080', 'busybox', 'sleep', '1000');
  const second = await engine.ok('run', '-d', '--publish', `${loopback}:41510-41511:90`, 'busybox', 'sleep', '1000');
  const ports = (await engine.ok('port', id)).split('\n').sort();
  assert.ok(ports.includes(`80/tcp -> ${loopback}:41500`) && ports.includes(`82/tcp -> ${loopback}:41502`), ports.join('\n'));
  assert.ok(ports.includes(`90/tcp -> ${loopback}:41510`), ports.join('\n'));
  assert.ok(ports.some((port) => port.startsWith(`53/udp -> ${loopback}:`)), ports.join('\n'));
  assert.ok(ports.some((port) => /^8080\/tcp -> 0\.0\.0\.0:\d+$/.test(port)), ports.join('\n'));
  assert.equal(await engine.ok('port', second), `90/tcp -> ${loopback}:41511`, 'the next free one of the range');
  const third = await engine.docker('run', '-d', '--publish-all', '-p', `${loopback}:41500:1`, 'busybox', 'true');
  assert.match(third.stderr, /port is already allocated/);
  const full = await engine.docker('run', '-d', '-p', `${loopback}:41510-41511:90`, 'busybox', 'true');
  assert.match(full.stderr, /all ports are allocated/);
  await engine.ok('rm', '-f', id, second, third.stdout.trim(), full.stdout.trim());
});

test('a file gets the id; a name is a name; detached', async () => {
  const file = join(engine.folder, 'id');
  const id = await engine.ok('run', '--detach', '--cidfile', file, '--name', 'called', 'busybox', 'sleep', '1000');
  assert.equal(await readFile(file, 'utf8'), id);
  assert.equal(await engine.ok('inspect', '-f', '{{.Name}}', id), '/called');
  await engine.ok('rm', '-f', 'called');
});

test('limits of block devices reach the control group', async () => {
  const disk = (await readFile('/proc/partitions', 'utf8')).split('\n').slice(2).map((line) => line.trim().split(/\s+/)).find(([, , , name]) => name !== undefined && /^(vd|sd|nvme|xvd|loop)/.test(name));
  if (disk === undefined) return;
  const path = `/dev/${disk[3]}`;
  const ran = await engine.docker('run', '--rm', '--device-read-bps', `${path}:1mb`, '--device-write-iops', `${path}:100`, 'busybox', 'sh', '-c', `${CGROUP} cg blkio/blkio.throttle.read_bps_device io.max; cg blkio/blkio.throttle.write_iops_device io.max`);
  if (ran.code !== 0) assert.match(ran.stderr, /--device-read-bps/); // a machine that has no node of it
  else assert.match(ran.stdout, new RegExp(`${disk[0]}:${disk[1]} .*1048576[\\s\\S]*${disk[0]}:${disk[1]} .*100`));
});

test('every flag of this docker is in these tables', async () => {
  const help = await engine.ok('run', '--help');
  const flags = [...help.matchAll(/^\s+(?:-\w, |    )(--[\w-]+)/gm)].map(([, flag]) => flag!);
  assert.ok(flags.length > 90, help);
  const source = await readFile(import.meta.filename, 'utf8');
  assert.deepEqual(flags.filter((flag) => flag !== '--help' && !new RegExp(`${flag}(?![\\w-])`).test(source)), []);
});
