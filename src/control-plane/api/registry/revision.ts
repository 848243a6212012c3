import { badRequest } from '../errors.ts';

/**
 * A resourceVersion as a number; undefined when it is absent or empty.
 * @param prefix what the message of a refusal starts with
 * @throws StatusError 400
 */
export function parseRevision(text: string | undefined, prefix = ''): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,16}$/.test(text)) {
    throw badRequest(
      `${prefix}resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return Number(text);
}
