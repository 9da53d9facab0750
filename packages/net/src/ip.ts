/** Returns the four bytes of an IPv4 address, which was checked with `isIPv4`. */
export function parseIPv4(address: string): Uint8Array {
	return Uint8Array.from(address.split("."), Number);
}

/** Returns the sixteen bytes of an IPv6 address without a zone, which was checked with `isIPv6`. */
export function parseIPv6(address: string): Uint8Array {
	const [head = "", tail] = address.split("::");
	const [first, last] = [toBytes(head), toBytes(tail ?? "")];
	return Uint8Array.from([...first, ...new Array(16 - first.length - last.length).fill(0), ...last]);
}

/** Returns the bytes of the groups of an IPv6 address, the last of which may be an IPv4 address. */
function toBytes(groups: string): number[] {
	if (groups === "") return [];
	return groups.split(":").flatMap((group) => {
		if (group.includes(".")) return [...parseIPv4(group)];
		const value = Number.parseInt(group, 16);
		return [value >> 8, value & 0xff];
	});
}

/** Returns the text of the four bytes of an IPv4 address. */
export function showIPv4(bytes: Uint8Array): string {
	return bytes.join(".");
}

/** Returns the text of the sixteen bytes of an IPv6 address, in the form of inet_ntop(3), which is that of Node. */
export function showIPv6(bytes: Uint8Array): string {
	const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
	const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
	if (mapped) return `::ffff:${showIPv4(bytes.subarray(12))}`;
	const { at, length } = longestZeros(groups);
	const text = groups.map((group) => group.toString(16));
	if (length < 2) return text.join(":");
	return `${text.slice(0, at).join(":")}::${text.slice(at + length).join(":")}`;
}

/** Returns the longest run of groups that are 0, of several the first. */
function longestZeros(groups: readonly number[]): { at: number; length: number } {
	let longest = { at: 0, length: 0 };
	for (let at = 0; at < groups.length; at++) {
		const end = groups.findIndex((group, index) => index >= at && group !== 0);
		const length = (end < 0 ? groups.length : end) - at;
		if (length > longest.length) longest = { at, length };
	}
	return longest;
}
