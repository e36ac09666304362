extension CommandTree {
  /// Who adds an option or a command writes it here, too: CommandTreeTests compares the table with what ArgumentParser says of
  /// ``Smsq``, and prints the lines that are missing.
  static var smsq: CommandTree { CommandTree(table: table) }

  static let table = """
    smsq
    smsq push --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure --sentinel-user= \
    --sentinel-password= --queue= --to= --text= --template= --template-param=... --sign= --from= --id= --in= --at= \
    --expires-in= --file= --format= --strict \
    --max-queue= --max-payload= --id-lifetime= --default-country-code= --max-segments= --json
    smsq worker --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue=... --name= --concurrency= --lease= --wake-timeout= --drain= \
    --max-attempts= --max-crashes= --max-payload= --backoff-base= --backoff-max= --after-crash= --dead-max= \
    --dead-age= --keep= --replicas= --send-window= --expires-in= --payload= --metrics= --default-country-code= --max-segments= \
    --gateway= --gateway-timeout= \
    --gateway-ca= --gateway-secret-file= --gateway-secret= --gateway-from= --gateway-url= --sim-latency= --sim-fail= --sim-throttle= --sim-reject= --sim-drop= --sim-rate= --sim-seed= --sim-ledger= \
    --sim-crash-on= --on-unknown= --outbox --database= --log-format= --log-level= --show-numbers
    smsq send --to= --text= --template= --template-param=... --sign= --from= --id= --default-country-code= --max-segments= --gateway= --gateway-timeout= \
    --gateway-ca= --gateway-secret-file= --gateway-secret= --gateway-from= --gateway-url= --sim-latency= --sim-fail= --sim-throttle= --sim-reject= --sim-drop= --sim-rate= --sim-seed= --sim-ledger= \
    --sim-crash-on= --outbox --database= --json
    smsq count --text= --to= --default-country-code= --max-segments= --json
    smsq stats --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue=... --json
    smsq peek --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure --sentinel-user= \
    --sentinel-password= --queue= --default-country-code= --number/-n= --scheduled --json --show-numbers
    smsq status --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue= --json
    smsq cancel --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue= --scheduled --before= --after= --to= --default-country-code= --keep= --yes --json
    smsq purge --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue= --scheduled --print --yes --json
    smsq move --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --from= --to= -n/--limit= --recipient= --matching= --default-country-code= --yes --json
    smsq dead (list)
    smsq dead list --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue= --reason= --older-than= --newer-than= --all -n/--limit= --json \
    --show-numbers
    smsq dead show --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue= --json
    smsq dead retry --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue= --reason= --older-than= --newer-than= --all -n/--limit= --yes \
    --json
    smsq dead remove --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue= --reason= --older-than= --newer-than= --all -n/--limit= --yes \
    --json
    smsq pause --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue=
    smsq resume --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue=
    smsq limit --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue= --json
    smsq shards --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue= --wait= --json
    smsq doctor --redis= --redis-ca= --redis-cert= --redis-key= --redis-server-name= --redis-insecure \
    --sentinel-user= --sentinel-password= --queue=... --supervisor-config= --drain= --replicas= --worker= --within= \
    --json
    smsq cron --database= --processes= --limit= --max-runtime= --every= --timeout= --lease= --max-attempts= \
    --max-crashes= --backoff-base= --backoff-max= --redis= --redis-ca= --redis-cert= --redis-key= \
    --redis-server-name= --redis-insecure --sentinel-user= --sentinel-password= --default-country-code= \
    --max-segments= --gateway= --gateway-timeout= --gateway-ca= --gateway-secret-file= --gateway-secret= --gateway-from= --gateway-url= --sim-latency= --sim-fail= --sim-throttle= --sim-reject= \
    --sim-drop= --sim-rate= --sim-seed= --sim-ledger= --sim-crash-on= --on-unknown= --outbox --verbose/-v --json
    smsq table
    smsq table init --database=
    smsq table add --database= --queue= --action= --to= --text= --from= --id= --stdin= --in= --file= --format= \
    --strict --default-country-code= --max-segments= --json
    smsq table list --database= --state= --number/-n= --json
    smsq table show --database= --json
    smsq table retry --database= --state=
    smsq table remove --database= --state= --older-than=
    smsq table stats --database= --json
    smsq outbox
    smsq outbox list --database= --number/-n= --json
    smsq outbox stats --database= --json
    smsq help
    """
}
