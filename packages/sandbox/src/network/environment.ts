/**
 * Returns the variables of the environment with which programs find the proxy. Programs read the names in large or in small letters:
 * curl, for one, reads `http_proxy` and not `HTTP_PROXY`.
 *
 * @param port - The port of the proxy on the sandbox's 127.0.0.1.
 * @param user - The user and the password that the proxy wants. Default: none.
 */
export function proxyEnvironment(port: number, user?: string): Record<string, string> {
	const proxy = `http://${user === undefined ? "" : `${user}@`}127.0.0.1:${port}`;
	// The loopback device is the sandbox's own. Where it is that of the host, the proxy alone is reached there.
	const own = user === undefined ? "localhost,127.0.0.1,::1" : "";
	const names = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy, NO_PROXY: own };
	const small = Object.entries(names).map(([name, value]) => [name.toLowerCase(), value]);
	return { ...names, ...Object.fromEntries(small), NODE_USE_ENV_PROXY: "1" }; // Node 22.21 and 24.5
}
