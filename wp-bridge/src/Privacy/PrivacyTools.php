<?php
/**
 * The exporter and the eraser of personal data.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Privacy;

use Throwable;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Customers\PointsText;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Service\ServiceError;
use WP_Error;

/**
 * WordPress's tools for personal data. Each handles the shop's data first and then the service's. When the service cannot be called, the
 * whole request fails with the reason. An incomplete export or a failed erasure must not look complete.
 */
final class PrivacyTools {

	private const ID = 'tillsync-bridge';

	public function __construct(
		private readonly ShopPerson $shop_person,
		private readonly ServicePerson $service_person,
		private readonly CopyGuard $copy_guard,
		private readonly Log $log
	) {}

	/**
	 * @param mixed $all Exporters of WordPress and other plugins.
	 * @return mixed
	 */
	public function with_exporter( $all = array() ) {
		return is_array( $all ) ? array( self::ID => array( 'exporter_friendly_name' => self::name(), 'callback' => array( $this, 'export' ) ) ) + $all : $all;
	}

	/**
	 * @param mixed $all Erasers of WordPress and other plugins.
	 * @return mixed
	 */
	public function with_eraser( $all = array() ) {
		return is_array( $all ) ? array( self::ID => array( 'eraser_friendly_name' => self::name(), 'callback' => array( $this, 'erase' ) ) ) + $all : $all;
	}

	private static function name(): string {
		return __( 'Till sync', 'tillsync-bridge' );
	}

	/**
	 * @param mixed $email The person's email.
	 * @param mixed $page  Number of the page, from 1.
	 * @return array{data: array<int, array<string, mixed>>, done: bool}|WP_Error
	 */
	public function export( $email, $page = 1 ) {
		return $this->answer(
			'personal data export',
			function () use ( $email, $page ): array {
				$here = $this->shop_person->orders( (string) $email, (int) $page );
				$data = 1 === (int) $page ? $this->values( (string) $email ) : array();
				foreach ( $here['answers'] as $one ) {
					if ( null !== $one['answer'] ) {
						$data[] = self::answer_item( $one['order'], $one['answer'] );
					}
				}
				$found = $this->service_person->can_be_asked() ? $this->service_person->export( (string) $email, (int) $page ) : array( 'records' => array(), 'more' => false, 'known_as' => array(), 'uncertain' => array(), 'not_asked' => array() );
				foreach ( $found['uncertain'] as $name ) {
					// The file does not name it, because the person gets the file and the id may be another person's.
					$this->log->warning( "personal data export: not followed: {$name}" );
				}
				$data = array_merge( $data, self::identity_item( $found ) );
				foreach ( $found['records'] as $record ) {
					$data[] = self::record_item( $record );
				}
				return array( 'data' => $data, 'done' => ! $here['more'] && ! $found['more'] );
			}
		);
	}

	/**
	 * @param mixed $email The person's email.
	 * @param mixed $page  Number of the page, from 1.
	 * @return array{items_removed: bool, items_retained: bool, messages: string[], done: bool}|WP_Error
	 */
	public function erase( $email, $page = 1 ) {
		return $this->answer(
			'personal data erasure',
			function () use ( $email, $page ): array {
				$orders  = $this->shop_person->orders( (string) $email, (int) $page );
				$removed = $this->shop_person->erase_values( (string) $email );
				foreach ( $orders['answers'] as $one ) {
					$removed = $this->shop_person->erase_order( $one['order'] ) || $removed;
				}
				if ( $orders['more'] ) {
					return array( 'items_removed' => $removed, 'items_retained' => false, 'messages' => array(), 'done' => false );
				}
				$can_ask  = $this->service_person->can_be_asked();
				$result   = $can_ask ? $this->service_person->erase( (string) $email ) : array( 'erased' => 0, 'retained' => array(), 'uncertain' => array(), 'not_asked' => array() );
				$retained = array() !== $result['retained'];
				$messages = $result['retained'];
				if ( $retained ) {
					$messages[] = __( 'Repeat this request later to erase the rest.', 'tillsync-bridge' );
				}
				foreach ( $result['not_asked'] as $reason ) {
					/* translators: %s: why, such as "Epos Now did not answer in time" */
					$messages[] = sprintf( __( 'Epos Now was not asked who has this email: %s', 'tillsync-bridge' ), $reason );
				}
				foreach ( $result['uncertain'] as $name ) {
					/* translators: %s: a number and a reason, such as "till customer 90001: it has another email at Epos Now" */
					$messages[] = sprintf( __( 'Not erased, as it may be somebody else: %s', 'tillsync-bridge' ), $name );
				}
				if ( $this->copy_guard->must_choose() ) {
					$retained   = true;
					$messages[] = __( 'The tillsync service was not asked: this site is not where it was connected.', 'tillsync-bridge' );
				}
				return array( 'items_removed' => $removed || $result['erased'] > 0, 'items_retained' => $retained, 'messages' => $messages, 'done' => true );
			}
		);
	}

	/**
	 * @param \Closure(): array<string, mixed> $body Returns the result.
	 * @return array<string, mixed>|WP_Error
	 */
	private function answer( string $where, \Closure $body ) {
		try {
			return $body();
		} catch ( ServiceError $error ) {
			/* translators: %s: what went wrong */
			return new WP_Error( 'tillsync_service', sprintf( __( 'The tillsync service could not be asked: %s Nothing of it is in this result: try again.', 'tillsync-bridge' ), $error->sentence() ) );
		} catch ( Throwable $error ) {
			$this->log->failure( $where, $error );
			return new WP_Error( 'tillsync_failed', __( 'Tillsync Bridge failed: see its log. Try again.', 'tillsync-bridge' ) );
		}
	}

	/** @return array<int, array<string, mixed>> */
	private function values( string $email ): array {
		$row       = $this->shop_person->values( $email );
		$confirmed = $this->shop_person->confirmation( $email );
		$items     = array();
		if ( null !== $confirmed ) {
			$items[] = self::item( 'confirmation', __( 'Confirmed email', 'tillsync-bridge' ), array( __( 'Confirmed by', 'tillsync-bridge' ) => $confirmed['ground'], __( 'On', 'tillsync-bridge' ) => PointsText::machine_time( $confirmed['confirmed_at'] ) ) );
		}
		if ( null === $row ) {
			return $items;
		}
		$type = null === $row->type_id ? '' : (string) $row->type_id;
		return array_merge( $items, array( self::item( 'values', __( 'Points', 'tillsync-bridge' ), array( __( 'Points', 'tillsync-bridge' ) => $row->points, __( 'Credit', 'tillsync-bridge' ) => $row->credit, __( 'Customer type', 'tillsync-bridge' ) => $type, __( 'As of', 'tillsync-bridge' ) => PointsText::machine_time( $row->as_of ) ) ) ) );
	}

	/** @return array<string, mixed> */
	private static function answer_item( \WC_Order $order, Answer $answer ): array {
		return self::item(
			'order-' . $order->get_id(),
			__( 'Till customers of orders', 'tillsync-bridge' ),
			array(
				__( 'Order', 'tillsync-bridge' )         => (string) $order->get_order_number(),
				__( 'Till customer', 'tillsync-bridge' ) => '0' === $answer->epos_customer_id ? '' : $answer->epos_customer_id,
				__( 'Comment', 'tillsync-bridge' )       => $answer->comment,
				__( 'Notes', 'tillsync-bridge' )         => implode( "\n", $answer->notes ),
			)
		);
	}

	/**
	 * Returns the aliases that the service followed, and the sides that it could not ask. An incomplete export must not look complete.
	 *
	 * @param array{known_as: string[], not_asked: string[]} $found Result of the first page.
	 * @return array<int, array<string, mixed>>
	 */
	private static function identity_item( array $found ): array {
		$values = array();
		foreach ( $found['known_as'] as $name ) {
			$values[] = array( 'name' => __( 'Also known as', 'tillsync-bridge' ), 'value' => $name );
		}
		foreach ( $found['not_asked'] as $reason ) {
			$values[] = array( 'name' => __( 'Epos Now was not asked', 'tillsync-bridge' ), 'value' => $reason );
		}
		if ( array() === $values ) {
			return array();
		}
		return array( array( 'group_id' => 'tillsync-service-person', 'group_label' => __( 'Till sync service: the person', 'tillsync-bridge' ), 'item_id' => 'tillsync-person', 'data' => $values ) );
	}

	/**
	 * @param array<string, mixed> $record A PersonRecord message.
	 * @return array<string, mixed>
	 */
	private static function record_item( array $record ): array {
		$category = preg_replace( '/[^a-z_]/', '', (string) ( $record['category'] ?? '' ) );
		$values   = array();
		foreach ( array_filter( (array) ( $record['fields'] ?? array() ), 'is_array' ) as $field ) {
			$values[] = array( 'name' => (string) ( $field['label'] ?? '' ), 'value' => (string) ( $field['value'] ?? '' ) );
		}
		if ( is_string( $record['createTime'] ?? null ) ) {
			$values[] = array( 'name' => __( 'Made', 'tillsync-bridge' ), 'value' => $record['createTime'] );
		}
		return array(
			'group_id'    => "tillsync-service-{$category}",
			/* translators: %s: kind of record, such as "queue entry" */
			'group_label' => sprintf( __( 'Till sync service: %s', 'tillsync-bridge' ), str_replace( '_', ' ', $category ) ),
			'item_id'     => 'tillsync-' . $category . '-' . md5( (string) ( $record['recordId'] ?? '' ) ),
			'data'        => $values,
		);
	}

	/**
	 * @param array<string, string> $values Values by name. Empty values are omitted.
	 * @return array<string, mixed>
	 */
	private static function item( string $id, string $group, array $values ): array {
		$data = array();
		foreach ( array_filter( $values, static fn( string $value ) => '' !== $value ) as $name => $value ) {
			$data[] = array( 'name' => $name, 'value' => $value );
		}
		$group_id = 0 === strncmp( $id, 'order-', 6 ) ? 'tillsync-orders' : "tillsync-{$id}";
		return array( 'group_id' => $group_id, 'group_label' => $group, 'item_id' => "tillsync-{$id}", 'data' => $data );
	}
}
