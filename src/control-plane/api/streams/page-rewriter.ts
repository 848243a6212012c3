/** Attributes of HTML that hold an address. */
const ADDRESSES = [
  'action',
  'background',
  'cite',
  'classid',
  'codebase',
  'data',
  'formaction',
  'href',
  'icon',
  'longdesc',
  'manifest',
  'poster',
  'profile',
  'src',
  'usemap',
];
/** An address that begins at the root of its server: one slash, not two, since two would name another server. */
const ROOTED = new RegExp(String.raw`(\s(?:${ADDRESSES.join('|')})\s*=\s*["']?)(?=/(?!/))`, 'gi');
/** Elements whose content is no markup. */
const RAW = new Set(['script', 'style', 'textarea', 'title']);
/** A tag that is longer goes through as it is. */
const MAX_TAG = 65_536;

/**
 * Makes the addresses in a page that was fetched through a proxy path lead through it again: those that begin at the
 * root get `prefix` before them. Works on a stream, tag by tag; all but tags goes through untouched. Bytes are read as
 * Latin-1 and written so, which keeps whatever encoding extends ASCII.
 */
export class PageRewriter {
  readonly #prefix: string;
  #pending = '';
  /** The element in whose raw text the stream stands. */
  #raw: string | undefined;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** What can be told of the page so far. */
  push(chunk: Buffer): Buffer {
    return Buffer.from(this.#take(this.#pending + chunk.toString('latin1')), 'latin1');
  }

  /** The rest. */
  end(): Buffer {
    const rest = this.#pending;
    this.#pending = '';
    return Buffer.from(rest, 'latin1');
  }

  #take(text: string): string {
    let out = '';
    let at = 0;
    for (;;) {
      const open = this.#raw === undefined ? text.indexOf('<', at) : endOfRaw(text, at, this.#raw);
      if (open < 0) {
        // An end tag of raw text may have begun in the last characters.
        const keep = this.#raw === undefined ? text.length : Math.max(at, text.length - this.#raw.length - 2);
        this.#pending = text.slice(keep);
        return out + text.slice(at, keep);
      }
      const close = text.indexOf('>', open);
      if (close < 0 && text.length - open <= MAX_TAG) {
        this.#pending = text.slice(open);
        return out + text.slice(at, open);
      }
      const end = close < 0 ? text.length : close + 1;
      out += text.slice(at, open) + this.#tag(text.slice(open, end));
      at = end;
    }
  }

  #tag(tag: string): string {
    const name = /^<([a-z][a-z0-9]*)/i.exec(tag)?.[1]?.toLowerCase();
    this.#raw = name !== undefined && RAW.has(name) && !tag.endsWith('/>') ? name : undefined;
    return name === undefined ? tag : tag.replace(ROOTED, (_, before: string) => before + this.#prefix);
  }
}

/** Where the end tag of `element` begins; -1 while it has not been seen. */
function endOfRaw(text: string, from: number, element: string): number {
  const at = text.slice(from).search(new RegExp(`</${element}`, 'i'));
  return at < 0 ? -1 : from + at;
}
