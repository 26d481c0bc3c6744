<?php
/**
 * Tables of the plugin.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Schema;

use Tillsync\Bridge\Log;


/**
 * Names and defines the tables. Each site has its own set, because user meta is shared by a whole network and 50 times slower to write.
 *
 * Times are unix seconds, independent of the server's time zone. dbDelta parses the statements: one column a line, two spaces after PRIMARY
 * KEY, no comments inside. Each change raises VERSION, and the plugin's previous release must work on the newer schema.
 */
final class Tables {

	public const VERSION = 3;

	private const OPTION = 'tillsync_bridge_schema';

	public function __construct( private readonly \wpdb $wpdb, private readonly Log $log ) {}

	/** One row for each order that is to be sent or was sent. This row, never order meta, tells that an order was sent. */
	public function outbox(): string {
		return $this->name( 'outbox' );
	}

	/** Values of shop customers from the till. */
	public function customer(): string {
		return $this->name( 'customer' );
	}

	/** The till's customer types. */
	public function customer_type(): string {
		return $this->name( 'customer_type' );
	}

	/** Roles that the plugin granted, one a user. The plugin revokes no other role. */
	public function role_grant(): string {
		return $this->name( 'role_grant' );
	}

	/** The newest event of each subject. */
	public function event(): string {
		return $this->name( 'event' );
	}

	/** Deleted users and changed emails that the service does not know yet. */
	public function user_changes(): string {
		return $this->name( 'user_changes' );
	}

	/** Confirmations of users' emails, and the confirmation mails that were sent. */
	public function confirmation(): string {
		return $this->name( 'confirmation' );
	}

	/**
	 * Returns all table names, for uninstallation.
	 *
	 * @return string[]
	 */
	public function all(): array {
		return array(
			$this->outbox(), $this->customer(), $this->customer_type(), $this->role_grant(), $this->event(), $this->user_changes(), $this->confirmation(),
		);
	}

	public function is_current(): bool {
		return self::VERSION <= (int) get_option( self::OPTION, 0 );
	}

	/** Tells whether the tables have the columns of this schema version. After an update of the plugin the newest may still be missing. */
	public function is_at_least( int $version ): bool {
		return $version <= (int) get_option( self::OPTION, 0 );
	}

	/**
	 * Creates or changes the tables of the present site. It may run again. It stores the schema version only when every table can be read.
	 */
	public function migrate(): bool {
		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		dbDelta( $this->statements() );
		foreach ( $this->all() as $table ) {
			$suppressed = $this->wpdb->suppress_errors( true );
			$answered   = $this->wpdb->query( "SELECT 1 FROM {$table} LIMIT 1" ); // phpcs:ignore WordPress.DB
			$this->wpdb->suppress_errors( $suppressed );
			if ( false === $answered ) {
				$this->log->error( "table {$table} could not be made: does the database user have the right to create tables?" );
				return false;
			}
		}
		update_option( self::OPTION, self::VERSION, true );
		return true;
	}

	/** Forgets the stored schema version, so that the next check creates missing tables. */
	public function forget_version(): void {
		delete_option( self::OPTION );
	}

	private function name( string $suffix ): string {
		return $this->wpdb->prefix . 'tillsync_' . $suffix;
	}

	/**
	 * Returns the CREATE TABLE statements in dbDelta's form.
	 *
	 * Outbox: state is waiting (not sent), sent (the service has the order and its entry has not ended), done, failed or closed. due_at:
	 * the drain does not claim the row before. revision: each new request raises it, so a drain that is sending does not close a request
	 * that it has not sent.
	 * Customer and customer_type: version orders the writes; removed marks a tombstone. points, credit and discount are decimals as text,
	 * as the service sent them; as_of is the time of the till read. write_token names the request that last changed the values. role_due
	 * marks a user whose role must be checked. registered is the registration time of the user to whom the values belong (NULL: not known),
	 * because WordPress may assign a user id again. epos_customer_id is the till customer of the values (NULL: not known), and linked_at the
	 * time of its last change, so that a restored database of the service gets its links back.
	 * Role_grant: type_id is the customer type that brought the role.
	 * User_changes: registered 0 means not known; orders_due means that the user's held orders are to be sent again.
	 * Confirmation: email_hash is the keyed hash of the confirmed email (empty: none); changed_at is the time of the last email change.
	 *
	 * @return string[]
	 */
	private function statements(): array {
		$collate = $this->wpdb->get_charset_collate();
		return array(
			"CREATE TABLE {$this->outbox()} (
  order_id bigint(20) unsigned NOT NULL,
  state varchar(10) NOT NULL DEFAULT 'waiting',
  created_at bigint(20) NOT NULL,
  due_at bigint(20) NOT NULL,
  revision int(10) unsigned NOT NULL DEFAULT 1,
  rerun tinyint(1) NOT NULL DEFAULT 0,
  attempts int(10) unsigned NOT NULL DEFAULT 0,
  claim_token varchar(32) NOT NULL DEFAULT '',
  claim_until bigint(20) NOT NULL DEFAULT 0,
  facts_hash varchar(64) NOT NULL DEFAULT '',
  entry_id varchar(64) NOT NULL DEFAULT '',
  entry_state varchar(20) NOT NULL DEFAULT '',
  outcome varchar(60) NOT NULL DEFAULT '',
  reason varchar(500) NOT NULL DEFAULT '',
  sent_at bigint(20) NOT NULL DEFAULT 0,
  updated_at bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY  (order_id),
  KEY state_due (state,due_at)
) {$collate};",
			"CREATE TABLE {$this->customer()} (
  user_id bigint(20) unsigned NOT NULL,
  version bigint(20) unsigned NOT NULL,
  removed tinyint(1) NOT NULL DEFAULT 0,
  points varchar(32) NOT NULL DEFAULT '0',
  credit varchar(32) NOT NULL DEFAULT '0',
  type_id bigint(20) unsigned NULL DEFAULT NULL,
  as_of bigint(20) NOT NULL DEFAULT 0,
  updated_at bigint(20) NOT NULL DEFAULT 0,
  write_token varchar(16) NOT NULL DEFAULT '',
  role_due tinyint(1) NOT NULL DEFAULT 0,
  registered bigint(20) NULL DEFAULT NULL,
  epos_customer_id bigint(20) unsigned NULL DEFAULT NULL,
  linked_at bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY  (user_id),
  KEY type_id (type_id),
  KEY role_due (role_due,user_id)
) {$collate};",
			"CREATE TABLE {$this->customer_type()} (
  type_id bigint(20) unsigned NOT NULL,
  version bigint(20) unsigned NOT NULL,
  removed tinyint(1) NOT NULL DEFAULT 0,
  name varchar(255) NOT NULL DEFAULT '',
  discount varchar(32) NOT NULL DEFAULT '0',
  description text NULL,
  updated_at bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY  (type_id)
) {$collate};",
			"CREATE TABLE {$this->role_grant()} (
  user_id bigint(20) unsigned NOT NULL,
  role varchar(100) NOT NULL,
  type_id bigint(20) unsigned NOT NULL,
  granted_at bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY  (user_id)
) {$collate};",
			"CREATE TABLE {$this->event()} (
  subject varchar(100) NOT NULL,
  sequence bigint(20) unsigned NOT NULL,
  event_id varchar(64) NOT NULL DEFAULT '',
  type varchar(40) NOT NULL DEFAULT '',
  entry_id varchar(64) NOT NULL DEFAULT '',
  state varchar(40) NOT NULL DEFAULT '',
  outcome varchar(60) NOT NULL DEFAULT '',
  held_count int(10) unsigned NOT NULL DEFAULT 0,
  received_at bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY  (subject)
) {$collate};",
			"CREATE TABLE {$this->user_changes()} (
  id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  user_id bigint(20) unsigned NOT NULL,
  kind varchar(10) NOT NULL,
  registered bigint(20) NOT NULL DEFAULT 0,
  changed_at bigint(20) NOT NULL,
  orders_due tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY  (id),
  UNIQUE KEY person_kind (user_id,registered,kind),
  KEY orders_due (orders_due,id)
) {$collate};",
			"CREATE TABLE {$this->confirmation()} (
  user_id bigint(20) unsigned NOT NULL,
  email_hash varchar(64) NOT NULL DEFAULT '',
  ground varchar(20) NOT NULL DEFAULT '',
  confirmed_at bigint(20) NOT NULL DEFAULT 0,
  changed_at bigint(20) NOT NULL DEFAULT 0,
  mailed_at bigint(20) NOT NULL DEFAULT 0,
  mails int(10) unsigned NOT NULL DEFAULT 0,
  mails_since bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY  (user_id)
) {$collate};",
		);
	}
}
