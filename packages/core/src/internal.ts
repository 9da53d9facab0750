/** What the other packages of nearfar share with this one. Not public: a change here needs no new major version. */
export * from "./addon/flags.generated.ts";
export * from "./shared.ts";
