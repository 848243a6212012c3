import type {
  ExecAction,
  GRPCAction,
  HTTPGetAction,
  Lifecycle,
  PodOS,
  Probe,
  SleepAction,
  TCPSocketAction,
} from '../../../../../types/kubernetes/generated/core-v1.ts';
import { each, nonNegative, validPortOrName } from '../common.ts';
import type { Errors, Path } from '../errors.ts';
import { httpHeaderName } from '../formats.ts';

interface Handler {
  readonly exec?: ExecAction;
  readonly httpGet?: HTTPGetAction;
  readonly tcpSocket?: TCPSocketAction;
  readonly grpc?: GRPCAction;
  readonly sleep?: SleepAction;
}

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;
const SIGNALS_LINUX = [
  'SIGABRT',
  'SIGALRM',
  'SIGBUS',
  'SIGCHLD',
  'SIGCLD',
  'SIGCONT',
  'SIGFPE',
  'SIGHUP',
  'SIGILL',
  'SIGINT',
  'SIGIO',
  'SIGIOT',
  'SIGKILL',
  'SIGPIPE',
  'SIGPOLL',
  'SIGPROF',
  'SIGPWR',
  'SIGQUIT',
  'SIGSEGV',
  'SIGSTKFLT',
  'SIGSTOP',
  'SIGSYS',
  'SIGTERM',
  'SIGTRAP',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGUSR1',
  'SIGUSR2',
  'SIGVTALRM',
  'SIGWINCH',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGRTMIN',
  ...Array.from({ length: 15 }, (_, n) => `SIGRTMIN+${n + 1}`),
  ...Array.from({ length: 14 }, (_, n) => `SIGRTMAX-${14 - n}`),
  'SIGRTMAX',
].sort();
const SIGNALS_WINDOWS = ['SIGKILL', 'SIGTERM'];

/** Probes of one container. @param grace terminationGracePeriodSeconds of the pod */
export function validateProbes(
  container: { readonly livenessProbe?: Probe; readonly readinessProbe?: Probe; readonly startupProbe?: Probe },
  grace: number | undefined,
  errors: Errors,
  path: Path,
): void {
  const { livenessProbe, readinessProbe, startupProbe } = container;
  if (livenessProbe !== undefined) {
    validateProbe(livenessProbe, grace, errors, path.child('livenessProbe'));
    if (livenessProbe.successThreshold !== 1) {
      errors.invalid(path.child('livenessProbe').child('successThreshold'), livenessProbe.successThreshold ?? 0, 'must be 1');
    }
  }
  if (readinessProbe !== undefined) {
    validateProbe(readinessProbe, grace, errors, path.child('readinessProbe'));
    if (readinessProbe.terminationGracePeriodSeconds !== undefined) {
      errors.invalid(
        path.child('readinessProbe').child('terminationGracePeriodSeconds'),
        readinessProbe.terminationGracePeriodSeconds,
        'must not be set for readinessProbes',
      );
    }
  }
  if (startupProbe !== undefined) {
    validateProbe(startupProbe, grace, errors, path.child('startupProbe'));
    if (startupProbe.successThreshold !== 1) {
      errors.invalid(path.child('startupProbe').child('successThreshold'), startupProbe.successThreshold ?? 0, 'must be 1');
    }
  }
}

function validateProbe(probe: Probe, grace: number | undefined, errors: Errors, path: Path): void {
  validateHandler(probe, grace, errors, path);
  for (const field of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const) {
    if ((probe[field] ?? 0) < 0) nonNegative(probe[field], errors, path.child(field));
  }
  const own = probe.terminationGracePeriodSeconds;
  if (own !== undefined && own <= 0) errors.invalid(path.child('terminationGracePeriodSeconds'), own, 'must be greater than 0');
}

export function validateLifecycle(lifecycle: Lifecycle, grace: number | undefined, os: PodOS | undefined, errors: Errors, path: Path): void {
  if (lifecycle.postStart !== undefined) validateHandler(lifecycle.postStart, grace, errors, path.child('postStart'));
  if (lifecycle.preStop !== undefined) validateHandler(lifecycle.preStop, grace, errors, path.child('preStop'));
  const signal = lifecycle.stopSignal;
  if (signal === undefined) return;
  const supported = os?.name === 'windows' ? SIGNALS_WINDOWS : SIGNALS_LINUX;
  if (os === undefined) errors.forbidden(path.child('stopSignal'), 'may not be set for containers with empty `spec.os.name`');
  else if (!supported.includes(signal)) errors.notSupported(path.child('stopSignal'), signal, supported);
}

function validateHandler(handler: Handler, grace: number | undefined, errors: Errors, path: Path): void {
  let found = 0;
  for (const name of HANDLERS) {
    if (handler[name] === undefined) continue;
    if (++found > 1) errors.forbidden(path.child(name), 'may not specify more than 1 handler type');
    else validateAction(handler, name, grace, errors, path.child(name));
  }
  if (found === 0) errors.required(path, 'must specify a handler type');
}

function validateAction(handler: Handler, name: (typeof HANDLERS)[number], grace: number | undefined, errors: Errors, path: Path): void {
  switch (name) {
    case 'exec':
      if (each(handler.exec!.command).length === 0) errors.required(path.child('command'));
      return;
    case 'httpGet': return validateHttp(handler.httpGet!, errors, path);
    case 'tcpSocket': return validPortOrName(handler.tcpSocket!.port, errors, path.child('port'));
    case 'grpc': return validPortOrName(handler.grpc!.port, errors, path.child('port'));
    case 'sleep': {
      const { seconds } = handler.sleep!;
      if (grace !== undefined && (seconds < 0 || seconds > grace)) {
        errors.invalid(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`);
      }
    }
  }
}

function validateHttp(http: HTTPGetAction, errors: Errors, path: Path): void {
  if ((http.path ?? '') === '') errors.required(path.child('path'));
  validPortOrName(http.port, errors, path.child('port'));
  if (http.scheme !== 'HTTP' && http.scheme !== 'HTTPS') errors.notSupported(path.child('scheme'), http.scheme ?? '', ['HTTP', 'HTTPS']);
  for (const header of each(http.httpHeaders)) errors.invalidEach(path.child('httpHeaders'), header.name, httpHeaderName(header.name));
}
