import { withPort } from "./host.ts";
import type { NetworkRules } from "./options.ts";
import type { Pattern } from "./pattern.ts";

/** What a sandbox reaches of the network, as data. */
export interface PlannedNetwork {
	/** The hosts that are reached, as they are compared. */
	readonly allow: readonly string[];
	/** The hosts that are refused, as they are compared. */
	readonly deny: readonly string[];
	/** Whether a function decides about other hosts. */
	readonly ask: boolean;
	/** Ports of the host's 127.0.0.1 that appear inside. */
	readonly localhost: readonly number[];
	/** Ports of the sandbox that appear on the host's 127.0.0.1. */
	readonly publish: readonly number[];
	/** The other proxy, without the user and the password. */
	readonly upstream?: string;
}

/** Returns rules as data that can be written as JSON, without a secret. */
export function toPlanned({ allow, deny, ask, localhost, publish, upstream }: NetworkRules): PlannedNetwork {
	return {
		allow: allow.map(toText),
		deny: deny.map(toText),
		ask: ask !== undefined,
		localhost,
		publish,
		...(upstream && { upstream: upstream.origin }),
	};
}

/** Returns what packets reach, in words. */
export function reached({ allow, ask, localhost, publish }: PlannedNetwork): string[] {
	const ports = (list: readonly number[]) => (list.length === 1 ? `port ${list}` : `ports ${list.join(", ")}`);
	return [
		...(allow.length > 0 ? [`the hosts ${allow.join(", ")}`] : []),
		...(ask ? ["the hosts that ask has said yes to"] : []),
		...(localhost.length > 0 ? [`${ports(localhost)} of the host's 127.0.0.1`] : []),
		...(publish.length > 0 ? [`whoever connects to ${ports(publish)} of the host's 127.0.0.1`] : []),
	];
}

function toText({ host, below, port }: Pattern): string {
	return `${below ? "*." : ""}${port === undefined ? host : withPort(host, port)}`;
}
