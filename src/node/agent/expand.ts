/**
 * Expands `$(NAME)` as in a container's command, args and env: an unknown name stays as it is written, `$$` is a dollar sign.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replaceAll(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => (name === undefined ? '$' : lookup(name) ?? whole));
}
