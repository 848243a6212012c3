import { randomInt } from '../../lib/random.ts';
import type { Random } from '../../lib/random.ts';

const ADJECTIVES = (
  'able brave bright brisk calm clever cosy crisp daring eager earnest fair fond gentle glad happy hardy honest humble jolly keen kind lively lucid lucky mellow merry mild ' +
  'neat nimble noble patient placid plucky polite proud quick quiet ready serene sharp silent sincere sober stout subtle sunny swift tidy trusty vivid warm wise witty zesty'
).split(' ');

/** Navigators, shipwrights, harbour builders and those who charted the sea. */
const SURNAMES = (
  'amundsen anson baret barents beaufort bligh bougainville bowditch brunel cabot cartier cavelier chapman chichester cook cousteau dampier darling drake earle ericson eyre ' +
  'flinders franklin frobisher gama hadley harrison hudson joshua knox krusenstern laperouse lovelace magellan maury mercator moitessier nansen nelson pinzon polo pytheas ross ' +
  'scoresby shackleton slocum smeaton stevenson tasman tharp torres vancouver verrazzano vespucci weddell wright zheng'
).split(' ');

/** A name that is easy to say: adjective_surname, and a digit when `retry` says that the plain one was taken. */
export function randomName(random: Random, retry = 0): string {
  const plain = `${ADJECTIVES[randomInt(random, ADJECTIVES.length)]}_${SURNAMES[randomInt(random, SURNAMES.length)]}`;
  return retry === 0 ? plain : `${plain}${randomInt(random, 10 ** Math.min(retry, 8))}`;
}

/** What a container may be called: as Docker's rule. */
export const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
