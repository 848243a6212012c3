import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSchedule } from './schedule.ts';

const at = (text: string): number => Date.parse(text);
function starts(spec: string, zone: string, from: string, count: number): string[] {
  const schedule = parseSchedule(spec, zone);
  const found: string[] = [];
  for (let next = schedule.next(at(from)); next !== undefined && found.length < count; next = schedule.next(next)) {
    found.push(schedule.zone.format(next));
  }
  return found;
}

test('fields, lists, ranges, steps and names', () => {
  assert.deepEqual(starts('*/20 * * * *', 'UTC', '2024-01-01T00:05:00Z', 3), [
    '2024-01-01T00:20:00Z',
    '2024-01-01T00:40:00Z',
    '2024-01-01T01:00:00Z',
  ]);
  assert.deepEqual(starts('30 6-16/4 * * 1-5', 'UTC', '2024-01-05T07:00:00Z', 4), [
    '2024-01-05T10:30:00Z',
    '2024-01-05T14:30:00Z',
    '2024-01-08T06:30:00Z',
    '2024-01-08T10:30:00Z',
  ]);
  assert.deepEqual(starts('0 0 29 2 *', 'UTC', '2024-03-01T00:00:00Z', 1), ['2028-02-29T00:00:00Z']);
  assert.deepEqual(starts('5,1 0 1 JAN,jul ?', 'UTC', '2024-01-01T00:01:00Z', 3), ['2024-01-01T00:05:00Z', '2024-07-01T00:01:00Z', '2024-07-01T00:05:00Z']);
  assert.deepEqual(starts('50/5 0 * * *', 'UTC', '2024-01-01T00:00:00Z', 3), ['2024-01-01T00:50:00Z', '2024-01-01T00:55:00Z', '2024-01-02T00:50:00Z']);
  assert.deepEqual(starts('@hourly', 'UTC', '2024-01-01T00:59:59Z', 1), ['2024-01-01T01:00:00Z']);
  assert.deepEqual(starts('@every 1h30m', 'UTC', '2024-01-01T00:00:10Z', 2), ['2024-01-01T01:30:10Z', '2024-01-01T03:00:10Z']);
});

test('day of month and day of week: either, when both are given', () => {
  assert.deepEqual(starts('0 12 13 * FRI', 'UTC', '2024-09-10T00:00:00Z', 3), ['2024-09-13T12:00:00Z', '2024-09-20T12:00:00Z', '2024-09-27T12:00:00Z']);
  assert.deepEqual(starts('0 12 13 * *', 'UTC', '2024-09-13T12:00:00Z', 1), ['2024-10-13T12:00:00Z']);
});

test('time zones: a skipped hour has no start, and one that comes twice has two', () => {
  assert.deepEqual(starts('30 2 * * *', 'Europe/Berlin', '2024-03-30T00:00:00Z', 2), ['2024-03-30T02:30:00+01:00', '2024-04-01T02:30:00+02:00']);
  assert.deepEqual(starts('30 2 * * *', 'Europe/Berlin', '2024-10-27T00:00:00Z', 2), ['2024-10-27T02:30:00+02:00', '2024-10-27T02:30:00+01:00']);
  assert.deepEqual(starts('TZ=Asia/Kolkata 0 0 * * *', 'UTC', '2024-01-01T00:00:00Z', 1), ['2024-01-02T00:00:00+05:30']);
  assert.deepEqual(starts('0 9 * * *', 'America/New_York', '2024-07-01T00:00:00Z', 1), ['2024-07-01T09:00:00-04:00']);
});

test('what never comes is found out, and what is malformed refused', () => {
  assert.equal(parseSchedule('0 0 31 2 *', 'UTC').next(at('2024-01-01T00:00:00Z')), undefined);
  for (const bad of [
    '',
    '* * * *',
    '60 * * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 7',
    '5-1 * * * *',
    '*/0 * * * *',
    '1-2-3 * * * *',
    '1/2/3 * * * *',
    'x * * * *',
    '-1 * * * *',
    '@never',
    '@every',
    '@every 5',
    '@every -5m',
  ]) {
    assert.throws(() => parseSchedule(bad, 'UTC'), { code: 'invalid' }, bad);
  }
  assert.throws(() => parseSchedule('* * * * *', 'Mars/Olympus'), /unknown time zone Mars\/Olympus/);
});
