import { lstatSync, readdirSync } from 'node:fs';

/** A pattern of names, a part a folder: Go's filepath.Match, and `**` for any number of folders. */
export type PathPattern = (path: string) => boolean;

/**
 * Compiles a pattern. Matching goes part by part, without backtracking over the whole path.
 * @param prefix whether what lies in a folder that matches counts as matched too
 */
export function compilePattern(pattern: string, prefix = false): PathPattern {
  const wanted = cleanParts(pattern).map((part) => (part === '**' ? part : segment(part)));
  return (path) => {
    let states = close(new Set([0]), wanted);
    for (const part of path.split('/')) {
      if (prefix && states.has(wanted.length)) return true;
      const next = new Set<number>();
      for (const state of states) {
        const test = wanted[state];
        if (test === undefined) continue;
        if (test === '**') next.add(state);
        else if (test(part)) next.add(state + 1);
      }
      states = close(next, wanted);
      if (states.size === 0) return false;
    }
    return states.has(wanted.length);
  };
}

/** Skips over `**` that may stand for nothing. */
function close(states: Set<number>, wanted: readonly unknown[]): Set<number> {
  for (const state of states) if (wanted[state] === '**') states.add(state + 1);
  return states;
}

/** The parts of a path or pattern: no empty ones and no `.`; `..` takes the one before away. */
export function cleanParts(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

export function hasWildcard(path: string): boolean {
  return /[*?[]/.test(path.replaceAll(/\\./g, ''));
}

function segment(part: string): (name: string) => boolean {
  if (!/[*?[\\]/.test(part)) return (name) => name === part;
  return (name) => matchSegment(part, 0, name, 0);
}

/** `*`, `?`, `[a-z]`, `[^a]` and `\x`. A star is tried at each place, and the last one only. */
function matchSegment(pattern: string, p: number, name: string, n: number): boolean {
  let star = -1;
  let mark = 0;
  while (n < name.length) {
    const step = pattern[p] === '*' ? undefined : one(pattern, p, name[n]!);
    if (pattern[p] === '*') {
      star = p++;
      mark = n;
    } else if (step !== undefined) {
      p = step;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p >= pattern.length;
}

/** Where the pattern goes on after one character; undefined when that doesn't match. */
function one(pattern: string, p: number, char: string): number | undefined {
  const at = pattern[p];
  if (at === undefined) return undefined;
  if (at === '?') return p + 1;
  if (at === '\\') return pattern[p + 1] === char ? p + 2 : undefined;
  if (at !== '[') return at === char ? p + 1 : undefined;
  const end = pattern.indexOf(']', p + 2);
  if (end < 0) return undefined;
  let body = pattern.slice(p + 1, end);
  const negated = body.startsWith('^') || body.startsWith('!');
  if (negated) body = body.slice(1);
  let found = false;
  for (let i = 0; i < body.length; i++) {
    if (body[i + 1] === '-' && i + 2 < body.length) {
      if (char >= body[i]! && char <= body[i + 2]!) found = true;
      i += 2;
    } else if (body[i] === char) found = true;
  }
  return found !== negated ? end + 1 : undefined;
}

/**
 * Paths beneath a folder (absolute, real) that a pattern matches, sorted. Symlinks are matched, not followed.
 * Only folders that the pattern leads into are read.
 */
export function expandPattern(root: string, pattern: string): string[] {
  const parts = cleanParts(pattern);
  const out = new Set<string>();
  const walk = (folder: string, at: number): void => {
    const part = parts[at];
    if (part === undefined) {
      if (folder !== '') out.add(folder);
      return;
    }
    const stats = lstatSync(`${root}/${folder}`, { throwIfNoEntry: false });
    if (!stats?.isDirectory()) return;
    if (part === '**') walk(folder, at + 1);
    const matches = part === '**' ? () => true : segment(part);
    for (const name of readdirSync(`${root}/${folder}`)) {
      if (!matches(name)) continue;
      walk(folder === '' ? name : `${folder}/${name}`, part === '**' ? at : at + 1);
    }
    if (part === '**' && at === parts.length - 1) {
      for (const name of readdirSync(`${root}/${folder}`)) {
        out.add(folder === '' ? name : `${folder}/${name}`);
      }
    }
  };
  walk('', 0);
  return [...out].sort();
}
