/** Headers of one connection, which a proxy does not pass on. */
const HOP_BY_HOP = new Set([
	"connection",
	"keep-alive",
	"proxy-authenticate",
	"proxy-authorization",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
]);

/** What a message is cut by. The header `Connection` cannot take these away: the next reader would cut elsewhere. */
const KEPT = new Set(["content-length", "host"]);

/**
 * Returns the headers that a proxy passes on.
 *
 * @param raw - Names and values by turns, as from `rawHeaders`.
 * @param without - Further names that are left out, in small letters.
 */
export function passedOn(raw: readonly string[], ...without: readonly string[]): string[] {
	const pairs = Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] ?? "", raw[2 * i + 1] ?? ""] as const);
	const named = pairs
		.filter(([name]) => name.toLowerCase() === "connection")
		.flatMap(([, value]) => value.split(",").map((token) => token.trim().toLowerCase()));
	const dropped = new Set([...HOP_BY_HOP, ...named.filter((name) => !KEPT.has(name)), ...without]);
	return pairs.filter(([name]) => !dropped.has(name.toLowerCase())).flat();
}
