<?php
/**
 * The facts of an order for the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Confirmation\Confirmations;
use Tillsync\Bridge\Customers\RegistrationTime;
use WC_Order;
use WP_User;

/** Holds the facts of one order, read when it is sent. They are the contract's OrderToMatch. */
final class OrderFacts {

	/** An unsent order in one of these statuses is not sent. */
	private const NOT_SENT_IN = array( 'cancelled', 'trash', 'failed', 'auto-draft', 'checkout-draft' );

	private const PRODUCTS_LIMIT = 200;

	/** Characters of a name that the contract accepts. */
	private const NAME_LENGTH = 255;

	/** @param array<string, mixed> $message OrderToMatch without rerun. */
	private function __construct( public readonly array $message ) {}

	/** Tells whether the object is an order of the shop, not a refund or a subscription. Renewals are orders. */
	public static function is_order( ?object $order ): bool {
		return $order instanceof WC_Order && 'shop_order' === $order->get_type();
	}

	/**
	 * Returns why an order must not be sent, or null when it may be sent.
	 *
	 * @param mixed $order Result of wc_get_order(), which is false for a deleted order.
	 */
	public static function reason_not_to_send( $order ): ?string {
		if ( ! is_object( $order ) ) {
			return __( 'Not sent: the order was deleted before.', 'tillsync-bridge' );
		}
		if ( ! self::is_order( $order ) ) {
			return __( 'Not sent: this is no order.', 'tillsync-bridge' );
		}
		$status = $order->get_status();
		if ( 'trash' === $status ) {
			return __( 'Not sent: the order was moved to the trash before.', 'tillsync-bridge' );
		}
		if ( in_array( $status, self::NOT_SENT_IN, true ) ) {
			/* translators: %s: name of an order status */
			return sprintf( __( 'Not sent: the order had the status "%s" before.', 'tillsync-bridge' ), wc_get_order_status_name( $status ) );
		}
		return null;
	}

	/**
	 * Reads an order. Filters of other plugins run here and may throw anything.
	 *
	 * @param int                $noted_at      Unix seconds to use when the order has no creation time.
	 * @param Confirmations|null $confirmations Null when the service is too old for confirmations.
	 */
	public static function of( WC_Order $order, int $noted_at, ?Confirmations $confirmations = null ): self {
		$created = $order->get_date_created();
		$created = gmdate( 'Y-m-d\TH:i:s\Z', null === $created ? $noted_at : $created->getTimestamp() );
		$key     = (string) $order->get_order_key();
		$user    = self::buyer( $order );
		$facts   = array(
			'orderId'      => (string) $order->get_id(),
			'orderKey'     => hash( 'sha256', '' !== $key ? $key : $created ),
			'orderNumber'  => OrderText::tidied( (string) $order->get_order_number(), 100 ),
			'createTime'   => $created,
			'billingEmail' => OrderText::tidied_email( (string) $order->get_billing_email() ),
			'firstName'    => OrderText::tidied( (string) $order->get_billing_first_name(), self::NAME_LENGTH ),
			'lastName'     => OrderText::tidied( (string) $order->get_billing_last_name(), self::NAME_LENGTH ),
			'company'      => OrderText::tidied( (string) $order->get_billing_company(), self::NAME_LENGTH ),
			// A longer text than the contract allows is no phone number.
			'phone'        => mb_strlen( (string) $order->get_billing_phone() ) <= 100 ? OrderText::tidied( (string) $order->get_billing_phone(), 100 ) : '',
		);
		if ( null !== $user ) {
			$facts['wooCustomerId'] = (string) $user->ID;
			$facts['accountEmail']  = OrderText::tidied_email( (string) $user->user_email );
			if ( null !== $confirmations ) {
				$facts += self::of_account( $user, $confirmations );
			}
		}
		$message  = array( 'order' => $facts );
		$products = self::unlinked_products( $order );
		if ( array() !== $products ) {
			$message['unlinkedProducts'] = $products;
		}
		return new self( $message );
	}

	/**
	 * Returns the user who placed the order. Null means a guest, or a user whose account is deleted. WooCommerce sets a deleted user's
	 * orders to customer 0, but not all of them, and not at once, and the id may be given to a new account. An order belongs to the earlier
	 * owner of the id if it is more than a day older than the account and its billing email is another one. WooCommerce assigns guest
	 * orders to a new account only by the account's own email. An account made at the checkout is a little younger than its order.
	 */
	public static function buyer( WC_Order $order ): ?WP_User {
		$user = $order->get_customer_id() > 0 ? get_userdata( $order->get_customer_id() ) : false;
		if ( false === $user ) {
			return null;
		}
		$created  = $order->get_date_created();
		$is_older = null !== $created && $created->getTimestamp() + DAY_IN_SECONDS < RegistrationTime::seconds( $user->user_registered );
		$billed   = trim( (string) $order->get_billing_email() );
		return $is_older && '' !== $billed && 0 !== strcasecmp( $billed, trim( (string) $user->user_email ) ) ? null : $user;
	}

	/** @return array<string, string> Registration time of the account, and the confirmation state of its email. */
	private static function of_account( WP_User $user, Confirmations $confirmations ): array {
		$facts      = array( 'emailConfirmation' => $confirmations->state( $user ) );
		$registered = RegistrationTime::seconds( $user->user_registered );
		if ( RegistrationTime::UNKNOWN !== $registered ) {
			$facts['wooRegisteredTime'] = RegistrationTime::text( $registered );
		}
		return $facts;
	}

	/** Returns a hash of the facts that the service decides by. Order number and phone do not count. */
	public function hash(): string {
		return self::hash_of( $this->message );
	}

	/**
	 * Tells whether the facts that the service decides by still equal those sent with this hash. Fields that an earlier release did not
	 * send make no difference, so an update of the plugin or the service sends no held order again.
	 */
	public function match_hash( string $hash ): bool {
		$earlier = $this->message;
		unset( $earlier['order']['wooRegisteredTime'], $earlier['order']['emailConfirmation'] );
		return in_array( $hash, array( $this->hash(), self::hash_of( $earlier ) ), true );
	}

	/** @param array<string, mixed> $message OrderToMatch. */
	private static function hash_of( array $message ): string {
		unset( $message['order']['orderNumber'], $message['order']['phone'], $message['order']['createTime'] );
		return hash( 'sha256', (string) wp_json_encode( $message, JSON_INVALID_UTF8_SUBSTITUTE ) );
	}

	/** @return array<int, array<string, string>> */
	private static function unlinked_products( WC_Order $order ): array {
		/**
		 * Filters the products of an order that have no product at the till. A plugin that links products adds them. An order with any such
		 * product waits until they are linked and it is matched again.
		 *
		 * @param array<int, array{product_id: int, variation_id?: int, sku?: string, name?: string}> $products An empty list.
		 * @param WC_Order                                                                            $order    The order.
		 */
		$given    = apply_filters( 'tillsync_unlinked_products', array(), $order );
		$products = array();
		foreach ( is_array( $given ) ? $given : array() as $product ) {
			$product_id = is_array( $product ) && is_numeric( $product['product_id'] ?? null ) ? (int) $product['product_id'] : 0;
			if ( $product_id < 1 || count( $products ) >= self::PRODUCTS_LIMIT ) {
				continue;
			}
			$entry        = array( 'productId' => (string) $product_id );
			$variation_id = is_numeric( $product['variation_id'] ?? null ) ? (int) $product['variation_id'] : 0;
			if ( $variation_id > 0 ) {
				$entry['variationId'] = (string) $variation_id;
			}
			foreach ( array( 'sku' => 100, 'name' => self::NAME_LENGTH ) as $name => $limit ) {
				if ( is_scalar( $product[ $name ] ?? null ) ) {
					$entry[ $name ] = OrderText::tidied( (string) $product[ $name ], $limit );
				}
			}
			$products[] = $entry;
		}
		return $products;
	}
}
