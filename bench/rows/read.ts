import { h2load, wrk } from '../lib/load.ts';
import { NAMESPACE, PODS, PREFIX, thousands } from '../lib/pods.ts';
import { kubeRow, ratio } from '../lib/row.ts';

const PATH = `/api/v1/namespaces/${NAMESPACE}/pods`;

export const rows = [
  kubeRow({
    name: 'get-http1', what: 'GET of a Pod, HTTP/1.1, 32 connections', unit: '/s', budget: ratio(5), recorded: 4500,
    measure: async (side) => (await thousands(side), await h2load(side, `${PATH}/${PREFIX}-7`, 'http/1.1')),
  }),
  kubeRow({
    name: 'get-http2', what: 'GET of a Pod, HTTP/2, 8 connections of 4 streams', unit: '/s', budget: ratio(5), recorded: 5100,
    measure: async (side) => (await thousands(side), await h2load(side, `${PATH}/${PREFIX}-7`, 'h2')),
  }),
  kubeRow({
    name: 'list', what: `LIST of ${PODS} pods, 8 connections`, unit: '/s', budget: ratio(10), recorded: 10,
    measure: async (side) => (await thousands(side), await wrk(side, { path: PATH, connections: 8 })),
  }),
  kubeRow({
    name: 'list-label', what: 'LIST by a label that 1 % have', unit: '/s', budget: ratio(5), recorded: 646,
    measure: async (side) => (await thousands(side), await wrk(side, { path: `${PATH}?labelSelector=app%3Da7` })),
  }),
  kubeRow({
    name: 'patch', what: 'merge patch of a Pod, 32 connections', unit: '/s', budget: ratio(5), recorded: 602,
    measure: async (side) => (await thousands(side), await wrk(side, { script: 'patch.lua', args: [PREFIX, String(PODS)] })),
  }),
];
