/**
 * Finds the keys that JSON objects hold more than once: a recursive-descent
 * walk over bytes that are known to be valid JSON of bounded depth. Slow, and
 * only called once a duplicate is known to be there.
 * @returns paths as in `spec.containers[0].name`, each once
 */
export function duplicateFields(bytes: Buffer): readonly string[] {
  const found = new Set<string>();
  const end = bytes.length;
  let at = 0;

  const skipSpace = (): void => {
    while (at < end && bytes[at]! <= 0x20) at++;
  };
  const string = (): string => {
    const from = at++;
    while (bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
    at++;
    return JSON.parse(bytes.toString('utf8', from, at)) as string;
  };
  const value = (path: string): void => {
    skipSpace();
    const c = bytes[at];
    if (c === 0x7b) object(path);
    else if (c === 0x5b) array(path);
    else if (c === 0x22) string();
    else while (at < end && bytes[at] !== 0x2c && bytes[at] !== 0x7d && bytes[at] !== 0x5d) at++;
    skipSpace();
  };
  const object = (path: string): void => {
    const seen = new Set<string>();
    at++;
    skipSpace();
    while (bytes[at] !== 0x7d) {
      const key = string();
      const full = path === '' ? key : `${path}.${key}`;
      if (seen.has(key)) found.add(full);
      seen.add(key);
      skipSpace();
      at++; // the colon
      value(full);
      if (bytes[at] === 0x2c) at++;
      skipSpace();
    }
    at++;
  };
  const array = (path: string): void => {
    at++;
    skipSpace();
    for (let index = 0; bytes[at] !== 0x5d; index++) {
      value(`${path}[${index}]`);
      if (bytes[at] === 0x2c) at++;
      skipSpace();
    }
    at++;
  };
  value('');
  return [...found];
}
