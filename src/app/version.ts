/** Longshore's own version, and the versions of the APIs that it speaks. */
export const VERSION = '0.1.0';
export const KUBERNETES_VERSION = 'v1.36.3';
