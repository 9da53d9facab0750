export * from "./pidfd.ts";
