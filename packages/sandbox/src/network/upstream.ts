import { connect, isIP, type Socket } from "node:net";

/** Begins to connect to another proxy. */
export function dialUpstream(proxy: URL): Socket {
	const host = proxy.hostname.replace(/^\[|\]$/g, "");
	const to = { host, allowHalfOpen: true, keepAlive: true, noDelay: true };
	if (proxy.protocol === "http:") return connect({ ...to, port: Number(proxy.port || 80) });
	const tls = process.getBuiltinModule("node:tls");
	return tls.connect({ ...to, port: Number(proxy.port || 443), ...(isIP(host) === 0 && { servername: host }) });
}

/** Returns the header with the user and the password of another proxy, as a name and a value. */
export function authorization({ username, password }: URL): string[] {
	if (username === "" && password === "") return [];
	const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
	return ["Proxy-Authorization", `Basic ${Buffer.from(user).toString("base64")}`];
}
