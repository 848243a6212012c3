import type { Container } from '../../containers/containers.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/** A duration in words, as the docker command line is used to show it. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < MINUTE) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / MINUTE);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(seconds / HOUR + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (seconds < 2 * WEEK) return `${Math.floor(hours / 24)} days`;
  if (seconds < 60 * DAY) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (seconds < 730 * DAY) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** The STATUS column: `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`, … */
export function statusText(container: Container, now: number): string {
  const { status, exit, startedMs, health } = container;
  const ago = (ms: number | undefined): string => humanDuration(now - (ms ?? now));
  switch (status) {
    case 'running':
      return `Up ${ago(startedMs)}${health === undefined ? '' : health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`}`;
    case 'paused':
      return `Up ${ago(startedMs)} (Paused)`;
    case 'restarting':
      return `Restarting (${exit?.code ?? 0}) ${ago(exit?.finishedMs)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'created':
      return 'Created';
    default:
      return `Exited (${exit?.code ?? 0}) ${ago(exit?.finishedMs)} ago`;
  }
}
