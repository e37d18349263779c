// openapi-typescript with openapi-fetch: compiled and run by test_clients.py.
import createClient from 'openapi-fetch'
import type { paths } from './generated/voice-api.d.ts'
import { key, origin, run } from './scenario.ts'
import type { Problem, Result } from './scenario.ts'

const client = createClient<paths>({ baseUrl: origin, headers: { Authorization: `Bearer ${key}` } })

await run({
  listAgents: async () => result(await client.GET('/v1/agents')),
  createCall: async (phone, agent) => result(await client.POST('/v1/calls', { body: { phone, agent } })),
  getCall: async (call_id) => result(await client.GET('/v1/calls/{call_id}', { params: { path: { call_id } } })),
  complete: async (status, transcript, duration) => result(await client.POST('/v1/webhooks/call-completed', {
    body: { event_type: 'call.completed', provider_call_id: 'internal-provider-reference', status, transcript, duration }
  }))
})

function result<T> ({ data, error }: { data?: T, error?: Problem }): Result<T> {
  if (error !== undefined) return { problem: error }
  if (data === undefined) throw new Error('the response is empty')
  return { data }
}
