export { Network, type Published, type PublishOptions } from "./network/network.ts";
export type { NetworkOptions, NetworkRequest } from "./network/options.ts";
export { checkNetwork } from "./network/options.ts";
export type { NetworkViolation } from "./network/violation.ts";
