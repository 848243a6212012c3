/**
 * Formats of names and values. Each answers with what is wrong, in the API server's words; an empty list says: nothing.
 * Hot, hence loops instead of patterns.
 */
const NONE: readonly string[] = [];

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const NAME = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const SUBDOMAIN_WRONG =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const LABEL_WRONG =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const NAME_WRONG = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const isLower = (c: number): boolean => c >= 97 && c <= 122;
const isLowerAlnum = (c: number): boolean => isLower(c) || isDigit(c);
const isAlnum = (c: number): boolean => isLowerAlnum(c) || (c >= 65 && c <= 90);

/** `msg (e.g. 'a',  or 'b', regex used for validation is '…')`: the API server's way, odd comma included. */
export function pattern(what: string, regex: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${what} (regex used for validation is '${regex}')`;
  return `${what} (e.g. ${examples.map((e) => `'${e}', `).join(' or ')}regex used for validation is '${regex}')`;
}

const maxCharacters = (n: number): string => `must be no more than ${n} characters`;
export const maxBytes = (n: number): string => `must be no more than ${n} bytes`;
export const inRange = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;

/** Bytes in UTF-8; lengths of the API count them. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

function matchesSubdomain(value: string): boolean {
  const end = value.length;
  if (end === 0 || !isLowerAlnum(value.charCodeAt(end - 1))) return false;
  let start = true;
  let previous = 0;
  for (let i = 0; i < end; i++) {
    const c = value.charCodeAt(i);
    if (isLowerAlnum(c)) start = false;
    else if (c === 45) {
      if (start) return false;
    } else if (c === 46) {
      if (start || previous === 45) return false;
      start = true;
    } else return false;
    previous = c;
  }
  return true;
}

function matchesLabel(value: string): boolean {
  const end = value.length;
  if (end === 0 || !isLowerAlnum(value.charCodeAt(0)) || !isLowerAlnum(value.charCodeAt(end - 1))) return false;
  for (let i = 1; i < end - 1; i++) {
    const c = value.charCodeAt(i);
    if (!isLowerAlnum(c) && c !== 45) return false;
  }
  return true;
}

function matchesName(value: string): boolean {
  const end = value.length;
  if (end === 0 || !isAlnum(value.charCodeAt(0)) || !isAlnum(value.charCodeAt(end - 1))) return false;
  for (let i = 1; i < end - 1; i++) {
    const c = value.charCodeAt(i);
    if (!isAlnum(c) && c !== 45 && c !== 95 && c !== 46) return false;
  }
  return true;
}

/** RFC 1123 subdomain, at most 253 characters: the name of most objects. */
export function dnsSubdomain(value: string): readonly string[] {
  if (value.length <= 253 && matchesSubdomain(value)) return NONE;
  const wrong: string[] = [];
  if (byteLength(value) > 253) wrong.push(maxCharacters(253));
  if (!matchesSubdomain(value)) wrong.push(pattern(SUBDOMAIN_WRONG, SUBDOMAIN, 'example.com'));
  return wrong;
}

/** RFC 1123 label, at most 63 characters. */
export function dnsLabel(value: string): readonly string[] {
  if (value.length <= 63 && matchesLabel(value)) return NONE;
  const wrong: string[] = [];
  if (byteLength(value) > 63) wrong.push(maxCharacters(63));
  if (!matchesLabel(value)) {
    wrong.push(matchesSubdomain(value) ? 'must not contain dots' : pattern(LABEL_WRONG, LABEL, 'my-name', '123-abc'));
  }
  return wrong;
}

/** `*.` and a subdomain. */
export function wildcardSubdomain(value: string): readonly string[] {
  if (value.length <= 253 && value.startsWith('*.') && matchesSubdomain(value.slice(2))) return NONE;
  const wrong: string[] = [];
  if (byteLength(value) > 253) wrong.push(maxCharacters(253));
  if (!value.startsWith('*.') || !matchesSubdomain(value.slice(2))) {
    wrong.push(
      pattern(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        `\\*\\.${SUBDOMAIN}`,
        '*.example.com',
      ),
    );
  }
  return wrong;
}

/** The key of a label: a name, with a subdomain and a slash before it where it is somebody's own. */
export function labelKey(value: string): readonly string[] {
  const slash = value.indexOf('/');
  if (slash < 0 ? value.length <= 63 && matchesName(value) : false) return NONE;
  if (
    slash > 0 &&
    value.length - slash <= 64 &&
    slash <= 253 &&
    matchesName(value.slice(slash + 1)) &&
    matchesSubdomain(value.slice(0, slash))
  ) {
    return NONE;
  }
  return labelKeyWrong(value);
}

function labelKeyWrong(value: string): readonly string[] {
  const parts = value.split('/');
  const wrong: string[] = [];
  if (parts.length > 2) {
    return [
      `a valid label key ${pattern(NAME_WRONG, NAME, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1)!;
  if (parts.length === 2) {
    const prefix = parts[0]!;
    if (prefix === '') wrong.push('prefix part must be non-empty');
    else {
      if (byteLength(prefix) > 253) wrong.push(`prefix part ${maxBytes(253)}`);
      if (!matchesSubdomain(prefix)) wrong.push(`prefix part ${pattern(SUBDOMAIN_WRONG, SUBDOMAIN, 'example.com')}`);
    }
  }
  if (name === '') wrong.push('name part must be non-empty');
  else if (byteLength(name) > 63) wrong.push(`name part ${maxBytes(63)}`);
  if (!matchesName(name)) wrong.push(`name part ${pattern(NAME_WRONG, NAME, 'MyName', 'my.name', '123-abc')}`);
  return wrong;
}

export function labelValue(value: string): readonly string[] {
  if (value === '' || (value.length <= 63 && matchesName(value))) return NONE;
  const wrong: string[] = [];
  if (byteLength(value) > 63) wrong.push(maxBytes(63));
  if (!matchesName(value)) {
    wrong.push(
      pattern(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        `(${NAME})?`,
        'MyValue',
        'my_value',
        '12345',
      ),
    );
  }
  return wrong;
}

/** What may stand in a path as one segment. @param prefix when a random end is still to come */
export function pathSegment(value: string, prefix = false): readonly string[] {
  if (!prefix && (value === '.' || value === '..')) return [`may not be '${value}'`];
  return ['/', '%'].filter((c) => value.includes(c)).map((c) => `may not contain '${c}'`);
}

export function portNumber(value: number): readonly string[] {
  return value >= 1 && value <= 65_535 ? NONE : [inRange(1, 65_535)];
}

/** IANA service name: at most 15 of [-a-z0-9], at least one letter. */
export function portName(value: string): readonly string[] {
  const wrong: string[] = [];
  if (byteLength(value) > 15) wrong.push(maxCharacters(15));
  if (!/^[-a-z0-9]+$/.test(value)) wrong.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) wrong.push('must contain at least one letter (a-z)');
  if (value.includes('--')) wrong.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) wrong.push('must not begin or end with a hyphen');
  return wrong;
}

export function percent(value: string): readonly string[] {
  return /^[0-9]+%$/.test(value) ? NONE : [pattern("a valid percent string must be a numeric string followed by an ending '%'", '[0-9]+%', '1%', '93%')];
}

export function httpHeaderName(value: string): readonly string[] {
  return /^[-A-Za-z0-9]+$/.test(value)
    ? NONE
    : [pattern("a valid HTTP header must consist of alphanumeric characters or '-'", '[-A-Za-z0-9]+', 'X-Header-Name')];
}

/** Printable ASCII without `=`. */
export function envName(value: string): readonly string[] {
  if (value === '') return ['environment variable name must be non-empty'];
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c < 32 || c > 126 || c === 61) {
      return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
    }
  }
  return NONE;
}

/** A key of a ConfigMap or Secret, which becomes a file's name. */
export function configKey(value: string): readonly string[] {
  const wrong: string[] = [];
  if (byteLength(value) > 253) wrong.push(maxCharacters(253));
  if (!isConfigKey(value)) {
    wrong.push(
      pattern(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        '[-._a-zA-Z0-9]+',
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    );
  }
  if (value === '.') wrong.push("must not be '.'");
  else if (value === '..') wrong.push("must not be '..'");
  else if (value.startsWith('..')) wrong.push("must not start with '..'");
  return wrong;
}

function isConfigKey(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (!isAlnum(c) && c !== 45 && c !== 95 && c !== 46) return false;
  }
  return value !== '';
}

/** User and group ids. */
export function unixId(value: number | bigint): readonly string[] {
  return value >= 0 && value <= 2_147_483_647 ? NONE : [inRange(0, 2_147_483_647)];
}

/** `example.com/name`. Each error with the value that it is about. */
export function domainPrefixedPath(value: string): readonly { readonly value: string; readonly detail: string }[] {
  const slash = value.indexOf('/');
  const [host, path] = [value.slice(0, slash), value.slice(slash + 1)];
  if (slash <= 0 || path === '') return [{ value, detail: 'must be a domain-prefixed path (such as "acme.io/foo")' }];
  const wrong = dnsSubdomain(host).map((detail) => ({ value: host, detail }));
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path)) {
    wrong.push({ value: path, detail: pattern('Invalid path', "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+") });
  }
  return wrong;
}

/** As Go prints a list of texts with %q: `["A" "B"]`. */
export function quoteList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}
