/**
 * {@include ../README.md}
 *
 * @module @nearfar/net
 */

export type { SocketFamily, SocketType } from "@nearfar/core/internal";
export type { SocketAddress } from "./address.ts";
export { bind, listen } from "./bind.ts";
export { connect } from "./connect.ts";
export { connectInside } from "./connect-inside.ts";
export { listenInside } from "./listen-inside.ts";
export { getsockopt, setsockopt } from "./options.ts";
export { type SocketOptions, socket } from "./socket.ts";
export { getpeername, getsockname } from "./sockname.ts";
