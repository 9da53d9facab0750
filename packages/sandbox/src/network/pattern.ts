import { isIP } from "node:net";
import { wrongType, wrongValue } from "@nearfar/core/internal";
import { NotAHostError, toHost } from "./host.ts";

/** An entry of `allow` or `deny`. */
export interface Pattern {
	/** The host in the spelling of `toHost`. */
	readonly host: string;
	/** Whether the entry is for the names below the host, and not for the host itself. */
	readonly below: boolean;
	/** The port. `undefined`: all ports. */
	readonly port: number | undefined;
}

/**
 * Reads an entry of `allow` or `deny`: `"host"`, `"*.host"`, either with `":port"`.
 *
 * @param text - The entry.
 * @param name - The name of the entry for error messages.
 */
export function toPattern(text: unknown, name: string): Pattern {
	if (typeof text !== "string") throw wrongType(name, "a string", text);
	const [, star, host = "", digits] = /^(\*\.)?(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(withBrackets(text)) ?? [];
	const port = digits === undefined ? undefined : Number(digits);
	if (port !== undefined && (port < 1 || port > 65_535))
		throw wrongValue(name, "a host with a port from 1 to 65535", text);
	try {
		const below = star !== undefined;
		const found = toHost(host);
		if (below && isIP(found)) throw new NotAHostError('a name of hosts where it begins with "*."');
		return { host: found, below, port };
	} catch (error) {
		if (!(error instanceof NotAHostError)) throw error;
		throw wrongValue(name, `"host", "*.host" or "host:port", and ${error.message}`, text);
	}
}

/** Returns whether an entry is for this host and this port. */
export function covers(pattern: Pattern, host: string, port: number): boolean {
	if (pattern.port !== undefined && pattern.port !== port) return false;
	return pattern.below ? host.endsWith(`.${pattern.host}`) && !isIP(host) : host === pattern.host;
}

/** Puts an IPv6 address without a port into brackets, so that none of its colons is taken for that of a port. */
function withBrackets(text: string): string {
	return isIP(text) === 6 ? `[${text}]` : text;
}
