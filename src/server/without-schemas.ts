import type { FastifyServerOptions } from 'fastify';

/**
 * For a server whose routes have no JSON schemas. Fastify would compile code for validating and writing JSON by them, and
 * loads two hundred files for it before it knows of any route.
 */
export const withoutSchemas = {
  compilersFactory: { buildValidator: refuseSchema, buildSerializer: refuseSchema },
} satisfies FastifyServerOptions['schemaController'];

function refuseSchema(): never {
  throw new Error('The routes of this server have no schemas.');
}
