/** How the elements of a list are told apart: by themselves, or by the value of their merge key. */
export type KeyOf = (element: unknown) => unknown;

/**
 * Puts a merged list in order, as strategic merge patch has it: what the patch
 * names follows the patch's order, what only the server has keeps its own
 * order, and the two are interleaved by where they stood on the server.
 * @param order keys in the order that the patch wants
 */
export function inOrder(merged: readonly unknown[], order: readonly unknown[], server: readonly unknown[], keyOf: KeyOf): unknown[] {
  const wanted = new Map(order.map((key, at) => [key, at]));
  const stood = new Map(server.map((element, at) => [keyOf(element), at]));
  const named = merged.filter((element) => wanted.has(keyOf(element))).sort((a, b) => wanted.get(keyOf(a))! - wanted.get(keyOf(b))!);
  const others = merged.filter((element) => !wanted.has(keyOf(element))).sort((a, b) => (stood.get(keyOf(a)) ?? 0) - (stood.get(keyOf(b)) ?? 0));
  const out: unknown[] = [];
  let i = 0;
  let j = 0;
  while (i < others.length || j < named.length) {
    if (j >= named.length) out.push(others[i++]);
    else if (i >= others.length) out.push(named[j++]);
    else {
      const left = stood.get(keyOf(others[i]));
      const right = stood.get(keyOf(named[j]));
      if (left !== undefined && right !== undefined && left < right) out.push(others[i++]);
      else out.push(named[j++]);
    }
  }
  return out;
}
