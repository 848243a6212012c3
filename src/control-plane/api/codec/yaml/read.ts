import type { Document, Node, Scalar } from 'yaml';
import { messageOf } from '../../../../lib/errors.ts';
import { encodeJsonText } from '../json.ts';

/** More aliases than this are an attack: ten that nest make ten thousand million. */
const MAX_ALIASES = 100;
/** So many keys that came twice are told; as many as upstream tells. */
const MAX_DUPLICATES = 100;
const MAX_KEY_SHOWN = 256;
/** What a body may weigh in JSON: aliases may not make of it what no body could be. */
const MAX_JSON_BYTES = 3 * 1024 * 1024;
/** Tags of YAML 1.1 whose values JSON has no form for: they are read as strings and maps. */
const ODD_TAGS = new Set([
  'tag:yaml.org,2002:timestamp',
  'tag:yaml.org,2002:binary',
  'tag:yaml.org,2002:omap',
  'tag:yaml.org,2002:pairs',
  'tag:yaml.org,2002:set',
]);

/** What may be in one text: a parser's node takes a kilobyte and more. The largest of the custom resource definitions that people install has a third of it. */
const MAX_WORDS = 150_000;
/** Nobody nests so deep; the parser takes the square of the depth to find that out. */
const MAX_OPEN = 1000;

/** How V8 says that a recursion went too deep; the parser hands it on as an error of the text. */
const OVERFLOW = 'Maximum call stack size exceeded';
const TOO_DEEP = 'yaml: exceeded max depth';

/** What YAML says, or what is wrong with it. A plain value: it travels between threads. */
export type YamlRead =
  | { readonly json: string; /** The lines of keys that came twice. */ readonly duplicates: readonly string[] }
  | { readonly problem: string }
  | { readonly manyDocuments: true };

/**
 * Whether a text is beyond what is parsed at all. One cheap pass, which takes the marks within quotes and comments for what they are
 * elsewhere: it counts at least as much as there is.
 */
function excess(source: string): string | undefined {
  let words = 0;
  let open = 0;
  let dashes = 0;
  for (let at = 0; at < source.length; at++) {
    switch (source.charCodeAt(at)) {
      case 0x5b: case 0x7b: // [ {
        words++;
        if (++open > MAX_OPEN) return TOO_DEEP;
        break;
      case 0x5d: case 0x7d: // ] }
        words++;
        if (open > 0) open--;
        break;
      case 0x2d: case 0x3f: // - ?
        if (source.charCodeAt(at + 1) <= 0x20 && ++dashes > MAX_OPEN) return TOO_DEEP;
        words++;
        break;
      case 0x0a: case 0x0d:
        dashes = 0;
        words++;
        break;
      case 0x2c: case 0x3a: case 0x26: case 0x2a: case 0x21: // , : & * !
        words++;
        break;
      default:
    }
    if (words > MAX_WORDS) return `yaml: the text has more than ${MAX_WORDS} words: send it as JSON`;
  }
  return undefined;
}

/**
 * Reads one YAML document as YAML 1.1 is read, but that times and numbers in
 * base 60 stay strings, as with upstream. Of keys that come twice the last one
 * wins. Takes time and memory that grow with the text, and much of both: some
 * microseconds and a kilobyte for each of its words.
 */
export async function readYaml(source: string): Promise<YamlRead> {
  const beyond = excess(source);
  if (beyond !== undefined) return { problem: beyond };
  const { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  try {
    // The parser's own search for keys that come twice compares each with each.
    const document = parseDocument(source, {
      version: '1.1', uniqueKeys: false, merge: true, intAsBigInt: true, lineCounter: lines, logLevel: 'error',
      customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || (!ODD_TAGS.has(tag.tag) && !('format' in tag && tag.format === 'TIME'))),
    });
    const [broken] = document.errors;
    if (broken?.code === 'MULTIPLE_DOCS') return { manyDocuments: true };
    if (broken !== undefined) {
      return { problem: broken.message.startsWith(OVERFLOW) ? TOO_DEEP : `yaml: ${broken.message.split('\n', 1)[0]!}` };
    }
    const json = encodeJsonText(document.toJS({ maxAliasCount: MAX_ALIASES }) ?? null);
    if (json.length > MAX_JSON_BYTES) {
      return { problem: `yaml: document contains excessive aliasing: it is larger than ${MAX_JSON_BYTES} bytes in JSON` };
    }
    return { json, duplicates: duplicates(document) };
  } catch (error) {
    if (error instanceof TypeError && error.message.includes('circular')) return { problem: 'yaml: anchor value contains itself' };
    if (error instanceof RangeError || error instanceof ReferenceError) {
      return { problem: error.message.startsWith(OVERFLOW) ? TOO_DEEP : `yaml: ${messageOf(error)}` };
    }
    throw error;
  }

  function duplicates(document: Document.Parsed): string[] {
    const found: string[] = [];
    walk(document.contents);
    return found;

    function walk(node: Node | null): void {
      if (found.length >= MAX_DUPLICATES || node === null || isAlias(node)) return;
      if (isSeq(node)) for (const item of node.items) walk(item as Node | null);
      if (!isMap(node)) return;
      const seen = new Set<unknown>();
      for (const { key, value } of node.items) {
        if (isScalar(key)) {
          if (seen.has(key.value) && key.value !== '<<' && found.length < MAX_DUPLICATES) found.push(told(key));
          seen.add(key.value);
        } else walk(key as Node | null);
        walk(value as Node | null);
      }
    }

    function told(key: Scalar): string {
      const at = key.range?.[0] ?? 0;
      return `line ${lines.linePos(at).line}: key ${JSON.stringify(String(key.value).slice(0, MAX_KEY_SHOWN))} already set in map`;
    }
  }
}
