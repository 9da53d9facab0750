import { array, options as checkOptions, integer, wrongType, wrongValue } from "@nearfar/core/internal";
import { type Pattern, toPattern } from "./pattern.ts";

/** A connection that `ask` decides about. */
export interface NetworkRequest {
	/** The name of the host, in lower-case ASCII, or its address. */
	readonly host: string;
	/** The port, 1 to 65535. */
	readonly port: number;
	/** The address that a yes connects to first. `undefined`: with `upstream`, where the other proxy looks names up. */
	readonly address: string | undefined;
	/** Whether the address belongs to a private network, to the host itself or to one link. */
	readonly private: boolean;
}

/**
 * What a sandbox reaches of the network.
 *
 * Programs reach hosts through an HTTP proxy on the sandbox's own 127.0.0.1, which the variables `HTTP_PROXY`, `HTTPS_PROXY` and
 * `ALL_PROXY` name. Inside there is no route and no resolver: a program that does not use the proxy reaches no host. The proxy
 * answers 403 for what is refused, and the sandbox reports a violation.
 *
 * The proxy decides by names and addresses. It does not look into what is sent: a host that is allowed can be a way to any other.
 *
 * @example
 * ```ts
 * const network: NetworkOptions = {
 *   allow: ["registry.npmjs.org", "*.example.com:443"],
 *   localhost: [5432], // the database of the host
 *   publish: [3000], // a server that runs inside
 * };
 * ```
 */
export interface NetworkOptions {
	/**
	 * The hosts that are reached. Default: none.
	 *
	 * `"example.com"` is this name, `"*.example.com"` each name below it and not the name itself, and `"example.com:443"` one port in
	 * place of all. An address is written in digits, an IPv6 address with a port in brackets: `"[2001:db8::1]:443"`.
	 *
	 * The proxy looks the name up outside, and connects to what it has found. Addresses of private networks, of the host, of
	 * its links and of documents are refused, unless the address itself is in the list, too: `["db.internal", "10.0.0.7:5432"]`.
	 */
	allow?: readonly string[];
	/** The hosts that are refused, whatever `allow` and `ask` say. The forms are those of `allow`. Default: none. */
	deny?: readonly string[];
	/**
	 * Decides about what `allow` does not have, and `deny` does not refuse. Only `true` is a yes, and it counts for this connection.
	 * Requests for the same host and port that come meanwhile wait for the same answer.
	 *
	 * The name is looked up before the question, so that whoever serves the name learns of it.
	 */
	ask?: (request: NetworkRequest) => boolean | Promise<boolean>;
	/** Ports of the host's 127.0.0.1 that appear on the sandbox's 127.0.0.1, at the same numbers, 1 to 65535. Default: none. */
	localhost?: readonly number[];
	/** Ports of the sandbox that appear on the host's 127.0.0.1, at the same numbers, 1 to 65535. Default: none. */
	publish?: readonly number[];
	/**
	 * Another HTTP proxy, through which all connections go: `http://` or `https://`, with the user and the password where it wants
	 * them. It looks names up itself, and so it alone can refuse a name that leads to a private address. Default: none.
	 */
	upstream?: URL | string;
}

/** Options that were checked. */
export interface NetworkRules {
	readonly allow: readonly Pattern[];
	readonly deny: readonly Pattern[];
	readonly ask: NetworkOptions["ask"];
	readonly localhost: readonly number[];
	readonly publish: readonly number[];
	readonly upstream: URL | undefined;
}

/**
 * Checks the options of a network.
 *
 * @param given - The options as the caller has given them.
 * @param name - The name of the option for error messages.
 */
export function checkNetwork(given: NetworkOptions, name = "options.network"): NetworkRules {
	const names = ["allow", "deny", "ask", "localhost", "publish", "upstream"] as const;
	const { allow = [], deny = [], ask, localhost = [], publish = [], upstream } = checkOptions(given, names, name);
	if (ask !== undefined && typeof ask !== "function") throw wrongType(`${name}.ask`, "a function", ask);
	const rules = {
		allow: patterns(allow, `${name}.allow`),
		deny: patterns(deny, `${name}.deny`),
		ask,
		localhost: ports(localhost, `${name}.localhost`),
		publish: ports(publish, `${name}.publish`),
		upstream: upstream === undefined ? undefined : checkUpstream(upstream, `${name}.upstream`),
	};
	const both = rules.localhost.find((port) => rules.publish.includes(port));
	if (both !== undefined) {
		throw wrongValue(`${name}.publish`, "without a port of `localhost`, which would lead back to the host", both);
	}
	return rules;
}

function patterns(given: readonly string[], name: string): Pattern[] {
	return array(given, name).map((text, index) => toPattern(text, `${name}[${index}]`));
}

function ports(given: readonly number[], name: string): number[] {
	return [...new Set(array(given, name).map((port, index) => integer(port, `${name}[${index}]`, 1, 65_535)))];
}

function checkUpstream(given: unknown, name: string): URL {
	if (typeof given !== "string" && !(given instanceof URL)) throw wrongType(name, "a URL or a string", given);
	const expected = "the http: or https: URL of a proxy, such as http://proxy.example:3128";
	// The messages leave the value out, because it can have a password.
	if (!URL.canParse(`${given}`)) throw wrongValue(name, expected, "a text that is no URL");
	const url = new URL(given);
	if (!["http:", "https:"].includes(url.protocol)) throw wrongValue(name, expected, `a URL of ${url.protocol}`);
	if (url.pathname !== "/" || url.search || url.hash) throw wrongValue(name, expected, "a URL with a path");
	return url;
}
