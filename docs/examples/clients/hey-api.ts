import { client } from './hey-api/client.gen'
import { createCall, listAgents } from './hey-api/sdk.gen'

client.setConfig({ baseUrl: process.env['VOICE_API_URL'] ?? '', auth: process.env['VOICE_API_KEY'] ?? '' })

const { agents } = (await listAgents({ throwOnError: true })).data
const agent = agents[0]?.key ?? ''
const { data, error } = await createCall({ body: { phone: '+12025550100', agent } })
if (error) throw new Error(`${error.code}: ${error.detail}`)
console.log(data.call_id)
