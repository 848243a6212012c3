import { LongshoreError } from '../../lib/errors.ts';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** A name is a folder's. */
const LONGEST = 255;

/** @throws `invalid`, in Docker's words */
export function checkName(name: string): void {
  if (name.length === 1) {
    throw new LongshoreError('invalid', `create ${name}: volume name is too short, names should be at least two alphanumeric characters`, {
      object: `volume ${name}`,
    });
  }
  if (!NAME.test(name)) {
    throw new LongshoreError(
      'invalid',
      `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
      { object: `volume ${name}` },
    );
  }
  if (name.length > LONGEST) {
    throw new LongshoreError('invalid', `create ${name}: a volume name has at most ${LONGEST} characters`, { object: `volume ${name}` });
  }
}
