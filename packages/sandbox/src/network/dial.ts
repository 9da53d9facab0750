import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import type { Admitted } from "./gate.ts";

/**
 * Begins to connect to the addresses of an admitted connection, one after the other, and to no other address.
 *
 * @param to - The connection, with one address or more.
 */
export function dial({ port, addresses }: Admitted): Socket {
	const [host = ""] = addresses;
	const all = addresses.map((address) => ({ address, family: isIP(address) }));
	// With one address Node looks up nothing. With several it asks this function, which knows no other answer.
	const lookup: LookupFunction = (_host, _options, answer) => answer(null, all);
	const several = addresses.length > 1 && { host: "several.invalid", lookup, autoSelectFamily: true };
	return connect({ host, port, allowHalfOpen: true, keepAlive: true, noDelay: true, ...several });
}
