<?php
/**
 * A person's data in the plugin's tables and meta.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Privacy;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Confirmation\ConfirmationTable;
use Tillsync\Bridge\Customers\CustomerRow;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Orders\Answers;
use Tillsync\Bridge\Schema\Tables;
use WC_Order;

/** Covers the shopper's values from the till and the answers in order meta. WooCommerce exports and erases the orders. */
class ShopPerson {

	private const ORDERS_PAGE = 50;

	public function __construct(
		private readonly ConfirmationTable $confirmation_table,
		private readonly Answers $answers,
		private readonly Database $database,
		private readonly Alerts $alerts,
		private readonly CustomerTable $customers,
		private readonly Tables $tables,
		private readonly Clock $clock
	) {}

	/** @throws DatabaseError */
	public function values( string $email ): ?CustomerRow {
		$user = get_user_by( 'email', $email );
		return false === $user ? null : $this->customers->find( $user->ID );
	}

	/**
	 * Returns how and when the email was confirmed, or null.
	 *
	 * @return array{ground: string, confirmed_at: int}|null
	 * @throws DatabaseError
	 */
	public function confirmation( string $email ): ?array {
		$user = get_user_by( 'email', $email );
		$row  = false === $user ? null : $this->confirmation_table->find( $user->ID );
		return null === $row || '' === $row['email_hash'] ? null : array( 'ground' => $row['ground'], 'confirmed_at' => $row['confirmed_at'] );
	}

	/**
	 * Returns a page of the person's orders with their answers. It finds orders by account or by billing email, as WooCommerce does.
	 *
	 * @return array{answers: array<int, array{order: WC_Order, answer: Answer|null}>, more: bool}
	 */
	public function orders( string $email, int $page ): array {
		$user  = get_user_by( 'email', $email );
		$ids   = array();
		$found = wc_get_orders( array( 'billing_email' => $email, 'type' => 'shop_order', 'limit' => self::ORDERS_PAGE, 'page' => $page, 'orderby' => 'ID', 'order' => 'ASC', 'return' => 'ids' ) );
		$ids   = array_merge( $ids, is_array( $found ) ? $found : array() );
		$more  = count( $ids ) >= self::ORDERS_PAGE;
		if ( false !== $user ) {
			$found = wc_get_orders( array( 'customer_id' => $user->ID, 'type' => 'shop_order', 'limit' => self::ORDERS_PAGE, 'page' => $page, 'orderby' => 'ID', 'order' => 'ASC', 'return' => 'ids' ) );
			$more  = $more || count( (array) $found ) >= self::ORDERS_PAGE;
			$ids   = array_merge( $ids, is_array( $found ) ? $found : array() );
		}
		$answers = array();
		foreach ( array_unique( array_map( 'intval', $ids ) ) as $order_id ) {
			$order = wc_get_order( $order_id );
			if ( $order instanceof WC_Order ) {
				$answers[] = array( 'order' => $order, 'answer' => $this->answers->of( $order ) );
			}
		}
		return array( 'answers' => $answers, 'more' => $more );
	}

	/**
	 * Turns the till's values into a tombstone. The tombstone keeps the version, so that an older write of the service cannot restore them.
	 *
	 * @throws DatabaseError
	 */
	public function erase_values( string $email ): bool {
		$user = get_user_by( 'email', $email );
		if ( false === $user ) {
			return false;
		}
		$confirmed = $this->confirmation_table->erase( $user->ID );
		$table     = $this->tables->customer();
		return 0 < $this->database->write(
			"UPDATE {$table} SET removed = 1, points = '0', credit = '0', type_id = NULL, as_of = 0, write_token = '', role_due = 1, updated_at = %d WHERE user_id = %d AND removed = 0",
			array( $this->clock->now(), $user->ID )
		) || $confirmed;
	}

	/**
	 * Deletes the order's answer and the personal data of its outbox row. A waiting row becomes done and is never sent, because sending it
	 * would bring the person back to the service.
	 *
	 * @throws DatabaseError
	 */
	public function erase_order( WC_Order $order ): bool {
		$had = $this->answers->forget( $order );
		$this->alerts->remove_order( $order->get_id() );
		$table   = $this->tables->outbox();
		$changed = $this->database->write(
			"UPDATE {$table} SET facts_hash = '', reason = %s, state = 'done', revision = revision + 1, updated_at = %d WHERE order_id = %d AND (facts_hash <> '' OR state <> 'done')",
			array( __( 'The person\'s data was erased.', 'tillsync-bridge' ), $this->clock->now(), $order->get_id() )
		);
		return $had || $changed > 0;
	}
}
