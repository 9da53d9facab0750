import type { IncomingMessage } from "node:http";
import { NotAHostError, toAuthority } from "./host.ts";
import { Refusal } from "./refusal.ts";

/** Where a request wants to go. */
export interface Target {
	readonly host: string;
	readonly port: number;
	/** The path with its query. */
	readonly path: string;
}

/**
 * Reads the target of a request to a proxy: `host:port` with the method `CONNECT`, otherwise `http://host:port/path`.
 *
 * The target is read here, and not by the parser of URLs, which repairs what a strict reader would refuse.
 */
export function toTarget({ method, url = "" }: IncomingMessage): Target {
	try {
		if (method === "CONNECT") return { ...toAuthority(decode(url)), path: "" };
		const [, authority, path = ""] = /^http:\/\/([^/?#\\]*)(|[/?][^#]*)$/i.exec(url) ?? [];
		if (authority === undefined) {
			throw new Refusal(400, "this is a proxy: a request has a URL that begins with http://, or the method CONNECT");
		}
		return { ...toAuthority(decode(authority), 80), path: path.startsWith("/") ? path : `/${path}` };
	} catch (error) {
		if (!(error instanceof NotAHostError)) throw error;
		const message = `the sandbox refuses the request, whose target must be ${error.message}`;
		throw new Refusal(403, message, printable(url));
	}
}

/** Node reads the bytes of a target as Latin-1. A name that is not ASCII is UTF-8. */
function decode(text: string): string {
	return Buffer.from(text, "latin1").toString("utf8");
}

/** Returns a part of a text that does not move the cursor of a terminal. */
function printable(text: string): string {
	return text.slice(0, 256).replace(/[^\x20-\x7e]/g, "?");
}
