/** What a probe found; `output` explains a failure, as in the Unhealthy event. */
export interface ProbeResult {
  readonly ok: boolean;
  readonly output: string;
}
