/** Something that a sandbox has refused, as data. */
export interface NetworkViolation {
	/** `"connect"`: a host that the rules refuse. `"limit"`: more connections than the proxy takes. */
	readonly kind: "connect" | "limit";
	/** The host with its port, or the limit. */
	readonly what: string;
	/** When it was refused, in milliseconds since 1970. */
	readonly at: number;
}

/** Learns of each violation. */
export type Report = (violation: NetworkViolation) => void;
