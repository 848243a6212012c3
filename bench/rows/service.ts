import { get } from 'node:http';
import { importBusybox } from '../lib/busybox.ts';
import { kubectl } from '../lib/command.ts';
import { Instance } from '../lib/instance.ts';
import { atMost, type Row } from '../lib/row.ts';

const MANIFESTS = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: app }
spec:
  selector: { matchLabels: { app: app } }
  template:
    metadata: { labels: { app: app } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - { name: app, image: busybox, imagePullPolicy: Never, command: [sh, -c, "mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www"] }
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [{ port: 80, targetPort: 8080 }] }
`;

/** From no daemon: up, apply, and HTTP requests to the Service's address until one is answered. The image lies in the folder. */
export const row: Row = {
  name: 'service', what: 'nothing to app answering through its Service', unit: 's', budget: atMost(2), rounds: 3, recorded: 19.9,
  async ours(stage) {
    const instance = await stage.once('service', async () => {
      const made = new Instance(await stage.folder());
      stage.onEnd(() => made.uninstall());
      await made.up();
      await importBusybox({ env: { DOCKER_HOST: made.dockerHost } });
      return made;
    });
    await instance.down();
    const began = performance.now();
    await instance.up();
    await kubectl(instance, ['apply', '-f', '-'], MANIFESTS);
    const address = (await kubectl(instance, ['get', 'service', 'app', '-o', 'jsonpath={.spec.clusterIP}'])).stdout;
    while (!(await answers(`http://${address}/`))) await new Promise((resolve) => { setTimeout(resolve, 10); });
    const value = (performance.now() - began) / 1000;
    await kubectl(instance, ['delete', '-f', '-', '--wait'], MANIFESTS);
    await kubectl(instance, ['wait', '--for=delete', 'pod', '-l', 'app=app', '--timeout=30s']);
    return { value };
  },
};

async function answers(url: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const request = get(url, { timeout: 500, agent: false }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  });
  // Refused, or no answer yet: asked again.
  request.once('error', () => resolve(false)).once('timeout', () => request.destroy());
  return await promise;
}
