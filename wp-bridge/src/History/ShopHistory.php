<?php
/**
 * What the shop keeps of the service's work.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\History;

use Throwable;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Customers\CustomerRow;
use Tillsync\Bridge\Customers\RegistrationTime;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\Answers;
use Tillsync\Bridge\Orders\OrderFacts;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\Schema\Tables;

/**
 * Answers a service whose database was restored from a backup: which orders it has answered since, which till customers are linked, and
 * the account's token and settings. It changes nothing. Pages follow the id, so a row that changes meanwhile is neither lost nor repeated.
 */
class ShopHistory {

	private const ORDERS_LIMIT = 100;
	private const LINKS_LIMIT  = 500;

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly ConnectionStore $connections,
		private readonly SiteSettings $settings,
		private readonly Answers $answers,
		private readonly Database $database,
		private readonly Tables $tables,
		private readonly Log $log
	) {}

	/**
	 * Returns orders that the service has answered or accepted since, and all that wait for its answer.
	 *
	 * @param int $since Unix seconds.
	 * @return array{orders: array<int, array<string, mixed>>, next_after: int|null}
	 * @throws DatabaseError
	 */
	public function orders( int $since, int $after ): array {
		// Not by Outbox, which hides the errors of the database. The service would take a failed read for a shop without orders.
		$rows   = $this->database->rows(
			"SELECT * FROM {$this->tables->outbox()} WHERE order_id > %d AND (state = 'sent'
			OR (state IN ('done', 'failed') AND entry_id <> '' AND (sent_at >= %d OR updated_at >= %d))) ORDER BY order_id LIMIT %d",
			array( $after, $since, $since, self::ORDERS_LIMIT )
		);
		$orders = array_map( fn( array $row ) => $this->order( OutboxRow::from_row( $row ) ), $rows );
		return array(
			'orders'     => array_values( array_filter( $orders ) ),
			'next_after' => self::ORDERS_LIMIT === count( $rows ) ? (int) end( $rows )['order_id'] : null,
		);
	}

	/** @return array<string, mixed>|null Null for a deleted order, and for one that cannot be read. */
	private function order( OutboxRow $row ): ?array {
		try {
			$order = wc_get_order( $row->order_id );
			if ( ! is_object( $order ) || ! OrderFacts::is_order( $order ) ) {
				return null;
			}
			$facts  = OrderFacts::of( $order, $row->created_at )->message['order'];
			$answer = $this->answers->of( $order );
		} catch ( Throwable $error ) {
			$this->log->failure( "reading order {$row->order_id}", $error );
			return null;
		}
		return array(
			'order_id'      => $row->order_id,
			'order_key'     => $facts['orderKey'],
			'order_number'  => $facts['orderNumber'],
			'user_id'       => isset( $facts['wooCustomerId'] ) ? (int) $facts['wooCustomerId'] : null,
			'account_email' => $facts['accountEmail'] ?? '',
			'billing_email' => $facts['billingEmail'],
			'entry_id'      => null === $answer ? $row->entry_id : $answer->entry_id,
			'answer'        => null === $answer ? null : array(
				'state'            => $answer->state,
				'outcome'          => $answer->outcome,
				'notes'            => $answer->notes,
				'causes'           => $answer->causes,
				'epos_customer_id' => $answer->epos_customer_id,
			),
		);
	}

	/**
	 * Returns users whose till customer has changed since, and users whose values were removed since.
	 *
	 * @param int $since Unix seconds.
	 * @return array{links: array<int, array<string, mixed>>, next_after: int|null}
	 * @throws DatabaseError
	 */
	public function links( int $since, int $after ): array {
		if ( ! $this->tables->is_at_least( 3 ) ) {
			return array( 'links' => array(), 'next_after' => null );
		}
		$users = $this->wpdb->users;
		$rows  = $this->database->rows(
			"SELECT c.*, u.user_registered FROM {$this->tables->customer()} c JOIN {$users} u ON u.ID = c.user_id
			WHERE c.user_id > %d AND c.linked_at >= %d AND (c.removed = 1 OR c.epos_customer_id IS NOT NULL) ORDER BY c.user_id LIMIT %d",
			array( $after, $since, self::LINKS_LIMIT )
		);
		$links = array();
		foreach ( $rows as $found ) {
			$row        = CustomerRow::from_row( $found );
			$registered = RegistrationTime::seconds( $found['user_registered'] );
			if ( ! $row->belongs_to( $registered ) ) {
				continue;
			}
			$links[] = array(
				'user_id'          => $row->user_id,
				'epos_customer_id' => $row->removed ? null : (string) $found['epos_customer_id'],
				'removed'          => $row->removed,
				'registered'       => RegistrationTime::UNKNOWN === $registered ? null : RegistrationTime::text( $registered ),
				'changed'          => RegistrationTime::text( (int) $found['linked_at'] ),
			);
		}
		return array( 'links' => $links, 'next_after' => self::LINKS_LIMIT === count( $rows ) ? (int) end( $rows )['user_id'] : null );
	}

	/**
	 * Returns the hash of the token, the settings of the service's last answer, and the customer types.
	 *
	 * @return array{token_hash: string, settings: array<string, mixed>|null, type_ids: int[]}
	 * @throws DatabaseError
	 */
	public function account(): array {
		$connection = $this->connections->current();
		$rows       = $this->database->rows( "SELECT type_id FROM {$this->tables->customer_type()} WHERE removed = 0 ORDER BY type_id" );
		return array(
			'token_hash' => hash( 'sha256', null === $connection ? '' : $connection->token ),
			'settings'   => $this->settings->stored(),
			'type_ids'   => array_map( static fn( array $row ) => (int) $row['type_id'], $rows ),
		);
	}
}
