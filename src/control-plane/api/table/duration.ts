const SECOND = 1000;
const MINUTE = 60;
const HOUR = 60;
const DAY = 24;

/** A duration as kubectl prints ages: two units at most, fewer the longer it is. `ms` in milliseconds. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / SECOND);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < MINUTE * 2) return `${seconds}s`;
  const minutes = Math.floor(seconds / MINUTE);
  if (minutes < 10) return two(minutes, 'm', seconds % MINUTE, 's');
  if (minutes < HOUR * 3) return `${minutes}m`;
  const hours = Math.floor(minutes / HOUR);
  if (hours < 8) return two(hours, 'h', minutes % HOUR, 'm');
  if (hours < DAY * 2) return `${hours}h`;
  if (hours < DAY * 8) return two(Math.floor(hours / DAY), 'd', hours % DAY, 'h');
  if (hours < DAY * 365 * 2) return `${Math.floor(hours / DAY)}d`;
  const years = Math.floor(hours / DAY / 365);
  if (hours < DAY * 365 * 8) return two(years, 'y', Math.floor(hours / DAY) % 365, 'd');
  return `${years}y`;
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
