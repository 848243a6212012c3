/** So many are told; as many as upstream tells. */
const MAX_FOUND = 100;
/** What is shown of a path: short keys below long ones would make gigabytes of three mebibytes. */
const MAX_SHOWN = 1024;

/**
 * Finds the keys that JSON objects hold more than once: a recursive-descent
 * walk over bytes that are known to be valid JSON of bounded depth. Slow, and
 * only called once a duplicate is known to be there.
 * @returns paths as in `spec.containers[0].name`, each once; no more than a hundred, and long ones cut
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
  /** Where the walk is: names, and indexes in brackets. Joined for what is found alone. */
  const path: string[] = [];
  const told = (): string => {
    let text = '';
    for (const part of path) {
      text += text === '' || part.startsWith('[') ? part : `.${part}`;
      if (text.length > MAX_SHOWN) return text.slice(0, MAX_SHOWN);
    }
    return text;
  };
  const value = (): void => {
    skipSpace();
    const c = bytes[at];
    if (c === 0x7b) object();
    else if (c === 0x5b) array();
    else if (c === 0x22) string();
    else while (at < end && bytes[at] !== 0x2c && bytes[at] !== 0x7d && bytes[at] !== 0x5d) at++;
    skipSpace();
  };
  const object = (): void => {
    const seen = new Set<string>();
    at++;
    skipSpace();
    while (bytes[at] !== 0x7d) {
      const key = string();
      path.push(key);
      if (seen.has(key) && found.size < MAX_FOUND) found.add(told());
      seen.add(key);
      skipSpace();
      at++; // the colon
      value();
      path.pop();
      if (bytes[at] === 0x2c) at++;
      skipSpace();
    }
    at++;
  };
  const array = (): void => {
    at++;
    skipSpace();
    for (let index = 0; bytes[at] !== 0x5d; index++) {
      path.push(`[${index}]`);
      value();
      path.pop();
      if (bytes[at] === 0x2c) at++;
      skipSpace();
    }
    at++;
  };
  value();
  return [...found];
}
