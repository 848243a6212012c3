import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from './generated/core-v1.ts';

/** What selectors look at. */
export interface SelectableNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

function holds(requirement: NodeSelectorRequirement, value: string | undefined): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In': return value !== undefined && values.includes(value);
    case 'NotIn': return value === undefined || !values.includes(value);
    case 'Exists': return value !== undefined;
    case 'DoesNotExist': return value === undefined;
    case 'Gt': return isInteger(value) && Number(value) > Number(values[0]);
    case 'Lt': return isInteger(value) && Number(value) < Number(values[0]);
    default: return false;
  }
}

function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^-?\d+$/.test(value);
}

/** A term holds when all its expressions and fields do; an empty term holds for no node. */
export function matchesTerm(term: NodeSelectorTerm, node: SelectableNode): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return expressions.every((requirement) => holds(requirement, node.labels[requirement.key ?? '']))
    && fields.every((requirement) => requirement.key === 'metadata.name' && holds(requirement, node.name));
}

/** A selector holds when one of its terms does. */
export function matchesNodeSelector(selector: NodeSelector, node: SelectableNode): boolean {
  return (selector.nodeSelectorTerms ?? []).some((term) => matchesTerm(term, node));
}
