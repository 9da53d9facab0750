import { isIP } from "node:net";
import {
	options as checkOptions,
	integer,
	outOfRange,
	socketFamilies,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import type { SocketAddress } from "./address.ts";
import { parseIPv4, parseIPv6 } from "./ip.ts";

/** An address as the kernel takes it. */
export interface EncodedAddress {
	/** The family that the address belongs to. */
	readonly family: "inet" | "inet6" | "unix";
	/** A C `struct sockaddr` of this family. */
	readonly bytes: Uint8Array;
	/** The name of a Unix socket, for errors. Otherwise empty. */
	readonly path: Uint8Array;
}

interface AnyAddress {
	address?: string;
	port?: number;
	scopeId?: number;
	path?: string | Buffer;
}

const LONGEST_PATH = 108; // bytes of `sun_path`
const NO_PATH = new Uint8Array();

/**
 * Checks an address and returns it as the kernel takes it.
 *
 * @param given - The address as the caller has given it.
 * @param name - The name of the parameter, for errors.
 */
export function encodeAddress(given: SocketAddress, name = "address"): EncodedAddress {
	if (given === undefined) throw wrongType(name, "an object", given);
	const { address, port, scopeId, path } = checkOptions(
		given as AnyAddress,
		["address", "port", "scopeId", "path"],
		name,
	);
	if (path !== undefined) {
		if (address === undefined && port === undefined && scopeId === undefined) return encodePath(path, `${name}.path`);
		throw wrongValue(name, "an IP address with a port, or a path, and not both", given);
	}
	if (typeof address !== "string") throw wrongType(`${name}.address`, "a string", address);
	const portBytes = bigEndian(integer(port, `${name}.port`, 0, 65_535));
	switch (isIP(address)) {
		case 4: {
			if (scopeId !== undefined) throw wrongValue(`${name}.scopeId`, "left out for an IPv4 address", scopeId);
			const bytes = join(native16(socketFamilies.inet), portBytes, parseIPv4(address), new Uint8Array(8));
			return { family: "inet", bytes, path: NO_PATH };
		}
		case 6: {
			if (address.includes("%")) {
				throw wrongValue(`${name}.address`, "an IPv6 address without a zone, whose number is `scopeId`", address);
			}
			const scope = Uint32Array.of(integer(scopeId === undefined ? 0 : scopeId, `${name}.scopeId`, 0, 2 ** 32 - 1));
			const flow = new Uint8Array(4);
			const head = [native16(socketFamilies.inet6), portBytes, flow];
			const bytes = join(...head, parseIPv6(address), new Uint8Array(scope.buffer));
			return { family: "inet6", bytes, path: NO_PATH };
		}
		default:
			throw wrongValue(`${name}.address`, "an IPv4 or IPv6 address in digits, since no names are looked up", address);
	}
}

function encodePath(path: string | Buffer, name: string): EncodedAddress {
	if (typeof path !== "string" && !((path as unknown) instanceof Uint8Array)) {
		throw wrongType(name, "a string or a Buffer", path);
	}
	const text = typeof path === "string" ? Buffer.from(path) : Uint8Array.from(path);
	if (text.length > LONGEST_PATH) throw outOfRange(name, `at most ${LONGEST_PATH} bytes`, path);
	const isAbstract = text[0] === 0;
	if (!isAbstract && text.includes(0)) {
		throw wrongValue(name, "a path without NUL bytes, but for one at the start of an abstract name", path);
	}
	// The length of an abstract name is that of the address. A path ends with a NUL byte, if there is room for one.
	const end = isAbstract || text.length === 0 || text.length === LONGEST_PATH ? [] : [0];
	return { family: "unix", bytes: join(native16(socketFamilies.unix), text, Uint8Array.from(end)), path: text };
}

/** Returns a number of two bytes in the byte order of the CPU. */
function native16(value: number): Uint8Array {
	return new Uint8Array(Uint16Array.of(value).buffer);
}

/** Returns a number of two bytes in the byte order of the network. */
function bigEndian(value: number): Uint8Array {
	return Uint8Array.of(value >> 8, value & 0xff);
}

function join(...parts: Uint8Array[]): Uint8Array {
	return Uint8Array.from(parts.flatMap((part) => [...part]));
}
