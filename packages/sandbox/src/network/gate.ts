import { isIP } from "node:net";
import { isPublic, ownAddresses } from "./addresses.ts";
import { toHost, withPort } from "./host.ts";
import type { NetworkRequest, NetworkRules } from "./options.ts";
import { covers } from "./pattern.ts";
import { codeOf, Refusal } from "./refusal.ts";
import { type Resolve, resolve } from "./resolve.ts";

/** A connection that may be made. */
export interface Admitted {
	readonly host: string;
	readonly port: number;
	/** The addresses that were decided about. Empty: the other proxy of `upstream` looks the name up. */
	readonly addresses: readonly string[];
}

/**
 * Decides which connections are made. A name is looked up once, and what was decided about is what is connected to: a server of
 * names that answers differently the next time changes nothing.
 */
export class Gate {
	readonly #rules: NetworkRules;
	readonly #resolve: Resolve;
	readonly #pending = new Map<string, Promise<Admitted>>();

	constructor(rules: NetworkRules, lookUp = resolve) {
		this.#rules = rules;
		this.#resolve = lookUp;
	}

	/**
	 * Decides about a connection. Requests for the same host and port share a decision that is being made.
	 *
	 * @param host - The host in the spelling of `toHost`.
	 * @param port - The port.
	 */
	admit(host: string, port: number): Promise<Admitted> {
		const key = withPort(host, port);
		let decision = this.#pending.get(key);
		if (!decision) {
			decision = this.#decide(host, port).finally(() => this.#pending.delete(key));
			this.#pending.set(key, decision);
		}
		return decision;
	}

	async #decide(host: string, port: number): Promise<Admitted> {
		const { allow, deny, ask, upstream } = this.#rules;
		const isListed = (list: typeof allow, address: string) => list.some((pattern) => covers(pattern, address, port));
		if (isListed(deny, host)) throw refused(host, port, "the host is in `deny`");
		const isAllowed = isListed(allow, host);
		// Before the name is looked up: the servers of a name that is not allowed learn nothing.
		if (!isAllowed && !ask) throw refused(host, port, "the host is not in `allow`");
		if (upstream && isIP(host) === 0) {
			if (isAllowed || (await this.#ask({ host, port, address: undefined, private: false }))) {
				return { host, port, addresses: [] };
			}
			throw refused(host, port, "`ask` has not said yes");
		}
		const found = (await this.#addressesOf(host)).filter((address) => !isListed(deny, address));
		if (found.length === 0) throw refused(host, port, "its addresses are in `deny`");
		const own = ownAddresses();
		const open = found.filter((address) => isPublic(address, own) || isListed(allow, address));
		if (isAllowed && open.length > 0) return { host, port, addresses: open };
		if (!ask) throw refused(host, port, "its address is not public, and the address itself is not in `allow`");
		// A yes to a private address is one for this address alone.
		const asked = open.length > 0 ? open : found.slice(0, 1);
		const [address = host] = asked;
		if (await this.#ask({ host, port, address, private: !isPublic(address, own) }))
			return { host, port, addresses: asked };
		throw refused(host, port, "`ask` has not said yes");
	}

	async #addressesOf(host: string): Promise<readonly string[]> {
		if (isIP(host)) return [host];
		try {
			return (await this.#resolve(host)).map(spelled);
		} catch (error) {
			throw new Refusal(502, `cannot look up ${host}: ${codeOf(error)}`);
		}
	}

	async #ask(request: NetworkRequest): Promise<boolean> {
		try {
			return (await this.#rules.ask?.(Object.freeze(request))) === true;
		} catch (error) {
			const { host, port } = request;
			const what = `\`ask\` has failed, and the connection to ${withPort(host, port)} is refused: ${error}`;
			process.emitWarning(what, "NearfarWarning");
			return false;
		}
	}
}

/** Returns an address in the spelling of the rules. One with a zone is link-local, and in no rule. */
function spelled(address: string): string {
	return address.includes("%") ? address : toHost(address);
}

function refused(host: string, port: number, why: string): Refusal {
	const target = withPort(host, port);
	return new Refusal(403, `the sandbox refuses the connection to ${target}: ${why}`, target);
}
