import createClient from 'openapi-fetch'
import type { paths } from './voice-api'

const headers = { Authorization: `Bearer ${process.env['VOICE_API_KEY']}` }
const client = createClient<paths>({ baseUrl: process.env['VOICE_API_URL'] ?? '', headers })

const agents = await client.GET('/v1/agents')
const agent = agents.data?.agents[0]?.key ?? ''
const { data, error } = await client.POST('/v1/calls', { body: { phone: '+12025550100', agent } })
if (error) throw new Error(`${error.code}: ${error.detail}`)
console.log(data.call_id)
