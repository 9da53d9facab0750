import { isIPv6 } from "node:net";
import { domainToASCII } from "node:url";

/** Thrown for a text that is not the name or the address of a host. The message continues "must be". */
export class NotAHostError extends Error {}

const LONGEST_NAME = 253; // characters, by RFC 1035
const NAME = /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;

/**
 * Returns a host in the one spelling in which hosts are compared, looked up and connected to.
 *
 * A name becomes lower-case ASCII, without the dot at its end. An address becomes an IPv4 address of four decimal numbers, or an
 * IPv6 address in its shortest form: `127.1`, `0x7f000001`, `0177.0.0.1`, `2130706433` and `::ffff:127.0.0.1` are all `127.0.0.1`.
 *
 * @param text - A name, an IPv4 address, or an IPv6 address with or without brackets.
 */
export function toHost(text: string): string {
	const inner = /^\[(.*)\]$/.exec(text)?.[1];
	const digits = inner ?? text;
	if (isIPv6(digits) && !digits.includes("%")) return shortest(digits);
	if (inner !== undefined || digits.includes(":")) {
		throw new NotAHostError("a host: an IPv6 address is digits, without a zone");
	}
	// The parser behind domainToASCII is that of URLs: it would drop whatever follows a slash or precedes an "@".
	if (!/^[\w.\-\u{80}-\u{10ffff}]+$/u.test(text) || /\s|^\.|\.\./.test(text)) {
		throw new NotAHostError(
			'a host: letters, digits, hyphens and single dots, without "@", "%", blanks, scheme or path',
		);
	}
	const name = domainToASCII(text.replace(/\.$/, ""));
	if (name.length > LONGEST_NAME || !NAME.test(name)) {
		throw new NotAHostError("a host: labels of 1 to 63 characters between dots, or an address");
	}
	return name;
}

/** Returns an IPv6 address in its shortest form, and an IPv4 address that is written as an IPv6 address as IPv4. */
function shortest(address: string): string {
	const text = new URL(`http://[${address}]/`).hostname.slice(1, -1);
	return embeddedIPv4(text, "::ffff:") ?? text;
}

/**
 * Returns the IPv4 address in the last 32 bits of an IPv6 address.
 *
 * @param address - The IPv6 address in its shortest form.
 * @param prefix - The first 96 bits, with the colons that follow them. `undefined` is returned for other addresses.
 */
export function embeddedIPv4(address: string, prefix: "::ffff:" | "64:ff9b::"): string | undefined {
	if (!address.startsWith(prefix)) return undefined;
	const found = /^(?:(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4}))?$/.exec(address.slice(prefix.length));
	if (!found) return undefined;
	const [high = 0, low = 0] = [found[1], found[2]].map((group) => Number.parseInt(group ?? "0", 16));
	return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
}

/** Returns a host with a port, as a request names both. */
export function withPort(host: string, port: number): string {
	return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Splits the authority of a request into its host and its port.
 *
 * @param text - A host, with a port behind a colon. An IPv6 address has brackets.
 * @param port - The port where the text has none. `undefined`: the text has to have one.
 */
export function toAuthority(text: string, port?: number): { host: string; port: number } {
	const [, host, digits] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
	const number = digits === undefined ? port : Number(digits);
	if (host === undefined || number === undefined || number < 1 || number > 65_535) {
		throw new NotAHostError("a host and a port from 1 to 65535, with a colon between them");
	}
	return { host: toHost(host), port: number };
}
