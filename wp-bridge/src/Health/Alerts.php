<?php
/**
 * Storage of alerts.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Clock;


// phpcs:disable WordPress.DB.DirectDatabaseQuery -- options by prefix; every value is prepared.

/**
 * Stores one option per alert, so that concurrent drains do not overwrite each other's alerts. The drain, events and the hourly check write
 * them. Screens and mails read them and never call the service.
 */
class Alerts {

	private const PREFIX = 'tillsync_bridge_cause_';

	/** Maximum number of alerts. Further persons are only in the service's count, because a screen cannot name them all. */
	private const LIMIT = 500;

	public function __construct( private readonly \wpdb $wpdb, private readonly Clock $clock ) {}

	/** @return Alert[] Account alerts first, then by age, oldest first. */
	public function all(): array {
		$like   = $this->wpdb->esc_like( self::PREFIX ) . '%';
		$alerts = array();
		foreach ( (array) $this->wpdb->get_col( $this->wpdb->prepare( "SELECT option_value FROM {$this->wpdb->options} WHERE option_name LIKE %s ORDER BY option_id LIMIT %d", $like, self::LIMIT ) ) as $value ) {
			$alert = Alert::from_stored( maybe_unserialize( $value ) );
			if ( null !== $alert ) {
				$alerts[] = $alert;
			}
		}
		usort( $alerts, static fn( Alert $one, Alert $other ) => array( $one->is_of_person(), $one->since, $one->key ) <=> array( $other->is_of_person(), $other->since, $other->key ) );
		return $alerts;
	}

	public function find( string $key ): ?Alert {
		return Alert::from_stored( get_option( self::name( $key ) ) );
	}

	/** Opens an account alert. For an open alert only text and reason change. */
	public function open( string $code, string $text, string $reason = '' ): void {
		$alert = $this->find( $code );
		if ( null === $alert ) {
			$this->save( new Alert( $code, $code, $text, 0, array(), $this->clock->now(), 0, array(), $reason ) );
		} elseif ( $alert->text !== $text || $alert->reason !== $reason ) {
			$this->save( $alert->with( array( 'text' => $text, 'reason' => $reason ) ) );
		}
	}

	/** Adds an order to an alert, and opens the alert if needed. */
	public function open_for_order( string $key, string $code, int $user_id, int $order_id, string $text = '' ): void {
		$alert = $this->find( $key );
		if ( null === $alert ) {
			if ( count( $this->all() ) < self::LIMIT ) {
				$this->save( new Alert( $key, $code, $text, $user_id, array( $order_id ), $this->clock->now() ) );
			}
		} elseif ( ! in_array( $order_id, $alert->order_ids, true ) || $alert->code !== $code || $alert->text !== $text ) {
			$orders = array_slice( array_values( array_unique( array_merge( $alert->order_ids, array( $order_id ) ) ) ), 0, Alert::ORDERS_KEPT );
			$this->save( $alert->with( array( 'code' => $code, 'text' => $text, 'order_ids' => $orders ) ) );
		}
	}

	/** Removes an order from one alert. */
	public function leave( string $key, int $order_id ): void {
		$alert = $this->find( $key );
		if ( null !== $alert && in_array( $order_id, $alert->order_ids, true ) ) {
			$left = array_values( array_diff( $alert->order_ids, array( $order_id ) ) );
			array() === $left ? $this->close( $key ) : $this->save( $alert->with( array( 'order_ids' => $left ) ) );
		}
	}

	/** Removes an order from all alerts except one. An alert without orders closes. */
	public function remove_order( int $order_id, string $but_for_key = '' ): void {
		foreach ( $this->all() as $alert ) {
			if ( $alert->key !== $but_for_key ) {
				$this->leave( $alert->key, $order_id );
			}
		}
	}

	public function close( string $key ): void {
		delete_option( self::name( $key ) );
	}

	/** Closes all alerts, because they belong to the previous account. */
	public function close_all(): void {
		foreach ( $this->all() as $alert ) {
			$this->close( $alert->key );
		}
	}

	/** Dismisses the notice for a user. Returns false when the alert is not open. */
	public function dismiss( string $key, int $user_id ): bool {
		$alert = $this->find( $key );
		if ( null === $alert ) {
			return false;
		}
		$this->save( $alert->with( array( 'dismissed_by' => array_values( array_unique( array_merge( $alert->dismissed_by, array( $user_id ) ) ) ) ) ) );
		return true;
	}

	/** @param Alert[] $alerts Alerts of a mail. One that closed meanwhile stays closed. */
	public function mark_mailed( array $alerts ): void {
		foreach ( $alerts as $alert ) {
			$now = $this->find( $alert->key );
			if ( null !== $now ) {
				$this->save( $now->with( array( 'mailed_at' => $this->clock->now() ) ) );
			}
		}
	}

	private function save( Alert $alert ): void {
		update_option( self::name( $alert->key ), $alert->to_stored(), false );
	}

	private static function name( string $key ): string {
		return self::PREFIX . md5( $key );
	}
}
