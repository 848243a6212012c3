/** Longshore inside of a program of one's own: an instance in a folder, with its Docker socket and kubeconfig. */
export { startPlatform, type Platform, type PlatformOptions } from './platform.ts';
export { homeAt, type Home } from './home.ts';
export { createLogger, silentLogger, type Logger } from '../lib/log.ts';
