export { openHost } from '../host/open.ts';
