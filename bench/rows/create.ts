import { wrk } from '../lib/load.ts';
import { kubeRow, ratio } from '../lib/row.ts';
import { prepared, type KubeSide } from '../lib/side.ts';

let runs = 0;

const create = (kind: 'configmaps' | 'pods') => async (side: KubeSide) => {
  await prepared(side, 'warm', async () => void (await wrk(side, { path: '/version' })));
  return await wrk(side, { script: 'create.lua', args: [kind, `create-${process.pid}-${runs++}`] });
};

export const rows = [
  kubeRow({
    name: 'create-configmap',
    what: 'create ConfigMap of 1 KB, 32 connections',
    unit: '/s',
    budget: ratio(5),
    recorded: 1700,
    measure: create('configmaps'),
  }),
  kubeRow({ name: 'create-pod', what: 'create Pod, 32 connections', unit: '/s', budget: ratio(6), recorded: 920, measure: create('pods') }),
];
