/** A number with a unit suffix, as in `100m`, `1.5Gi`, `2e3`. JSON numbers are taken too, and become this. */
export type Quantity = string;

/** A number, or a name or percentage. */
export type IntOrString = number | string;

/** RFC 3339, as in `2024-01-02T03:04:05Z`; microseconds where the API has MicroTime. */
export type Time = string;

/** As Go prints a duration: `1h2m0.5s`. */
export type Duration = string;
